"""``e2egraph export --data``: what a run is exported on is read, and refused, as it is to be scored."""

import json
import shutil
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest

from e2egraph.cli import main
from e2egraph.export.bundle import Metadata, read_metadata
from e2egraph.graphs.storage.pointclouds import PointClouds
from tests.changed_dataset import rewritten, with_more, with_other_numbers
from tests.toy_dataset import write_toy_dataset
from tests.training.tiny_model import write_tiny_model

CHECKED_JETS = 32


def last_from_data(clouds: PointClouds) -> PointClouds:
    """The last jet is of a run of collisions, the others simulated."""
    run = clouds.jets["run"].copy()
    run[-1] = 320_000
    return replace(clouds, jets={**clouds.jets, "run": run})


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """``data``, of which the last jet of each shard is not simulated, and a ``run`` trained on it."""
    folder = tmp_path_factory.mktemp("exported")
    toys = write_toy_dataset(folder / "toys", jets=4 * (CHECKED_JETS + 4), seed=1, nodes=(1, 20))
    manifest = rewritten(toys, folder / "data", last_from_data)
    manifest["missing"] = [f"{name}.root: ecal.time" for name in ("qcd", "top")]
    (folder / "data" / "manifest.json").write_text(json.dumps(manifest))
    words = ["--data", str(folder / "data"), "--output", str(folder / "run"), "--set", "training.epochs=1"]
    assert main(["train", "--model", write_tiny_model(folder), *words]) == 0
    return folder


def exported(folder: Path, output: Path, data: Path, *options: str) -> Metadata:
    assert main(["export", str(folder / "run"), "--output", str(output), "--data", str(data), *options]) == 0
    return read_metadata(output)


@pytest.mark.parametrize("change", [with_other_numbers, with_more])
def test_a_data_set_that_holds_more_or_numbers_otherwise_is_read_by_name(
    folder: Path, change: Callable[[Path, Path], Path], tmp_path: Path
) -> None:
    other = change(folder / "data", tmp_path / "other")
    own, found = (exported(folder, tmp_path / data.name / "b", data, "--int8") for data in (folder / "data", other))
    assert found.parity["real_jets"] == own.parity["real_jets"] == 2 * CHECKED_JETS
    assert found.inputs == own.inputs
    assert found.variants["int8"].sha256 == own.variants["int8"].sha256
    assert found.variants["int8"].shifts == own.variants["int8"].shifts


@pytest.mark.parametrize("options", [[], ["--int8"]])
def test_a_data_set_without_what_the_network_reads_is_refused_in_one_sentence(
    folder: Path, options: list[str], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    def without_d0(clouds: PointClouds) -> PointClouds:
        return replace(clouds, nodes={name: values for name, values in clouds.nodes.items() if name != "d0"})

    manifest = rewritten(folder / "data", tmp_path / "other", without_d0)
    (tmp_path / "other" / "manifest.json").write_text(json.dumps(manifest))
    words = ["--output", str(tmp_path / "b"), "--data", str(tmp_path / "other"), *options]
    assert main(["export", str(folder / "run"), *words]) == 1
    assert f"other: has no variable d0, which {folder / 'run'} reads; build it" in capsys.readouterr().err
    assert not (tmp_path / "b").exists()


def test_objects_count_as_simulated_where_all_are_that_the_network_was_trained_on(folder: Path, tmp_path: Path) -> None:
    assert exported(folder, tmp_path / "own", folder / "data").info.simulated is False
    # Those of the data set that the export is checked on do not count.
    assert exported(folder, tmp_path / "other", folder / "toys").info.simulated is False
    shutil.copytree(folder / "run", tmp_path / "run")
    config = tmp_path / "run" / "config.yaml"
    config.write_text(config.read_text().replace(str(folder / "data"), str(tmp_path / "gone")))
    metadata = exported(tmp_path, tmp_path / "unknown", folder / "toys")
    assert metadata.info.simulated is None
    # What its files lacked stands in the run itself.
    assert metadata.info.lacking == ["ecal.time"]
