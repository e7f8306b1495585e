"""Files of events that a bundle cannot score, as they lack what its network reads, and those that it can."""

from dataclasses import replace
from pathlib import Path

import pytest

from e2egraph.errors import InputError
from e2egraph.export.bundle import write_metadata
from e2egraph.inference.score import score_files
from e2egraph.inference.session import Bundle
from tests import rhtree_files
from tests.export.bundles import export
from tests.exports.conftest import about, bundle_for, jet_linear_network, made_up_task


@pytest.fixture(scope="module")
def images(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Tracks as images, which have no charge; jets without subjettiness."""
    without = (*rhtree_files.VECTOR_PREFIXES, "jetTau")
    path = tmp_path_factory.mktemp("images") / "images.root"
    return rhtree_files.write(path, rhtree_files.random_deposits(6, 1), without=without)


def lacking(bundle: Path, fields: list[str] | None) -> Bundle:
    """The bundle of a network whose training files lacked ``fields``."""
    opened = Bundle.open(bundle, 1)
    write_metadata(bundle, replace(opened.metadata, info=replace(opened.metadata.info, lacking=fields)))
    return Bundle.open(bundle, 1)


def test_a_file_that_lacks_a_variable_is_refused_unless_the_training_files_lacked_it_too(
    images: Path, tmp_path: Path
) -> None:
    bundle = bundle_for(made_up_task(channels=["TRACK", "ECAL"]), tmp_path / "bundle")
    message = (
        rf"{images}: no branch for tracks\.charge \(looked for track_charge\), which .*bundle reads as charge; give a "
        r"file that has it, or a bundle of a network trained on such files"
    )
    with pytest.raises(InputError, match=message + r"\.$"):
        score_files(lacking(bundle, []), [str(images)])
    with pytest.raises(
        InputError, match=message + r" \(if its own were such, export the run again, which records it\)"
    ):
        score_files(lacking(bundle, None), [str(images)])
    assert len(score_files(lacking(bundle, ["tracks.charge"]), [str(images)])) > 0
    # No node of the channels that are read has a charge.
    crystals = bundle_for(made_up_task(channels=["ECAL", "HCAL"]), tmp_path / "crystals")
    assert len(score_files(lacking(crystals, []), [str(images)])) > 0


def test_a_quantity_of_jets_counts_where_the_network_reads_it(images: Path, tmp_path: Path) -> None:
    task = made_up_task(channels=["ECAL"], variables=["value"], object=["jet_mass", "tau21"])
    assert len(score_files(Bundle.open(bundle_for(task, tmp_path / "nodes"), 1), [str(images)])) > 0
    inputs = task.network_inputs
    export(jet_linear_network(inputs), tmp_path / "jets", about("jet-linear", task), inputs=inputs)
    with pytest.raises(InputError, match=r"no branch for jets\.tau\d .*, which .*jets reads as tau21"):
        score_files(Bundle.open(tmp_path / "jets", 1), [str(images)])
