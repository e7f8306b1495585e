"""What holds for every test."""

import os
from pathlib import Path

import pytest
from hypothesis import settings

# No test fails for being slow: speed is measured by the benchmarks, and a busy machine is no fault of the code.
settings.register_profile("unhurried", deadline=None)
settings.load_profile("unhurried")


# What takes longest begins first, so that two workers end together: files of a minute or more, the longest first.
LONGEST = (
    "docs/test_fences.py",
    "e2e/test_zoo_others.py",
    "e2e/test_zoo_kernels.py",
    "e2e/test_journey.py",
    "api/test_examples.py",
    "models/layers/test_phi_reference.py",
    "e2e/test_ranks.py",
    "training/test_resume.py",
    "evaluation/ablation/test_ablate.py",
    "e2e/test_notebook.py",
    "exports/test_pretrained.py",
    "models/test_flow_variants.py",
    "docs/test_build.py",
    "benchmark/test_scaling.py",
    "e2e/test_particle_flow.py",
    "exports/test_cmssw.py",
    "training/test_two_processes.py",
    "training/tuning/test_tune.py",
)


def pytest_configure(config: pytest.Config) -> None:
    """Workers take files in the order below, not by their numbers of tests."""
    if hasattr(config.option, "loadscopereorder"):
        config.option.loadscopereorder = False


@pytest.hookimpl(trylast=True)
def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """The files of ``LONGEST`` first; within a file, and for the others, nothing changes."""
    here = Path(__file__).parent
    places = {here / name: place for place, name in enumerate(LONGEST)}
    items.sort(key=lambda item: places.get(item.path, len(places)))


@pytest.fixture(scope="session", autouse=True)
def _own_cache(tmp_path_factory):
    """Nothing is read from the user's cache folder or left in it, by commands that tests start neither."""
    before = os.environ.get("XDG_CACHE_HOME")
    os.environ["XDG_CACHE_HOME"] = str(tmp_path_factory.mktemp("cache"))
    yield
    if before is None:
        del os.environ["XDG_CACHE_HOME"]
    else:
        os.environ["XDG_CACHE_HOME"] = before


@pytest.fixture(scope="session")
def flow_file(tmp_path_factory):
    """A few simulated events with the truth of particle flow, once for all tests of it."""
    from tests.made_once import made_once
    from tests.particleflow_events import simulate_flow

    def make(folder):
        folder.mkdir()
        simulate_flow(folder)

    return made_once(tmp_path_factory, "flow", make) / "flow.root"


@pytest.fixture(scope="session")
def flow_data(flow_file, tmp_path_factory):
    """Their data set."""
    from tests.particleflow_events import build_flow

    return build_flow(flow_file, tmp_path_factory.mktemp("flow") / "data")
