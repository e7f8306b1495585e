"""The bundles that come with the project: small, described, and scoring new jets alike in Python and C++."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from e2egraph.cli import main
from e2egraph.data.scores import read_scores
from e2egraph.evaluation.metrics.roc import roc_curve
from e2egraph.export.bundle import read_metadata
from tests.exports.cpp_build import made_once
from tests.exports.cpp_files import infer
from tests.exports.test_cpp_equality import Sample, make_sample

FOLDER = Path(__file__).parents[2] / "exports" / "pretrained"
BUNDLES = sorted(path.name for path in FOLDER.iterdir() if path.is_dir())

LARGEST = 3_000_000  # bytes


@pytest.fixture(scope="module")
def as_trained(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with the data set of the shipped task and its events, of which C++ finds the seeds."""
    sample = Sample(made_once(tmp_path_factory, "sample", make_sample))

    def make(folder: Path) -> None:
        folder.mkdir()
        words = ["--task", "top", *sample.files, "--set", "resampling=null"]
        assert main(["build-graphs", *words, "--output", str(folder / "data")]) == 0
        assert main(["dump-events", *words, "--output", str(folder / "events.e2e"), "--find-seeds"]) == 0

    return made_once(tmp_path_factory, "as_trained", make)


def test_the_best_graph_tagger_and_the_image_network_are_there() -> None:
    assert {"tracks-and-cells", "resnet15"} <= set(BUNDLES)


@pytest.mark.parametrize("name", BUNDLES)
def test_a_bundle_is_small_and_its_card_says_what_it_is(name: str) -> None:
    bundle = FOLDER / name
    metadata = read_metadata(bundle)
    assert sum(path.stat().st_size for path in bundle.iterdir()) <= LARGEST
    card = (bundle / "README.md").read_text()
    assert "parametric detector simulation, not the CMS simulation" in card
    assert f"--seed {metadata.info.training['seed']}" in card
    listed = (FOLDER / "README.md").read_text()
    for metric, digits in (("test_auc", 4), ("test_signal_efficiency_at_1pct_mistag", 3)):
        value = metadata.info.metrics[metric]
        assert f"{value:.6g}" in card
        (row,) = [line for line in listed.splitlines() if line.startswith(f"| `{name}` |")]
        assert f"{value:.{digits}f}" in row


@pytest.mark.parametrize("name", BUNDLES)
def test_it_tells_tops_from_qcd_in_python_and_cpp_alike(name: str, as_trained: Path, runner: Path, tmp_path) -> None:
    output = tmp_path / "scores.parquet"
    assert main(["predict", str(FOLDER / name), "--data", str(as_trained / "data"), "--output", str(output)]) == 0
    scores = read_scores(output)
    top = read_metadata(FOLDER / name).info.classes.index("top")
    probability = scores.probabilities[:, top]
    is_top = scores.jets["label"] == top
    assert min(is_top.sum(), (~is_top).sum()) > 20
    # 0.98 on 20,000 jets; this few scatter by some 0.015.
    assert roc_curve(is_top, probability).auc > 0.93
    found = infer(runner, FOLDER / name, as_trained / "events.e2e", tmp_path)
    identities = zip(*(scores.jets[column].tolist() for column in ("run", "lumi", "event", "jet")), strict=True)
    for number, identity in enumerate(identities):
        np.testing.assert_allclose(found.scores(identity)[top], probability[number], atol=1e-4)
