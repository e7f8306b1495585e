"""What holds for every test."""

import os

import pytest
from hypothesis import settings

# No test fails for being slow: speed is measured by the benchmarks, and a busy machine is no fault of the code.
settings.register_profile("unhurried", deadline=None)
settings.load_profile("unhurried")


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
    from tests.particleflow_events import simulate_flow

    return simulate_flow(tmp_path_factory.mktemp("flow"))


@pytest.fixture(scope="session")
def flow_data(flow_file):
    """Their data set."""
    from tests.particleflow_events import build_flow

    return build_flow(flow_file, flow_file.parent / "data")
