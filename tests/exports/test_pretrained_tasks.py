"""Bundles of every task: from deposits of events to scores or masses, C++ and Python alike, and right."""

from __future__ import annotations

from dataclasses import dataclass
from hashlib import sha256
from pathlib import Path

import numpy as np
import pytest

from e2egraph.cli import main
from e2egraph.data.scores import read_scores
from e2egraph.evaluation.metrics.roc.curve import roc_curve
from e2egraph.export.bundle import read_metadata
from e2egraph.export.card import card
from tests.exports.cpp_files import infer
from tests.exports.test_pretrained import ALL, BUNDLES, FOLDER
from tests.made_once import made_once

ALONE = ("--set", "process.pile_up.mean=0")
AK4 = ("--set", "detector.jets.radius=0.4", "--set", "detector.jets.min_pt=20")


@dataclass(frozen=True)
class Shipped:
    """A bundle's model file, and events to try it on: class → process, and what they take to simulate.

    ``least``: figure that no luck with so few objects reaches: the AUC; of masses the correlation with the true ones.
    """

    sha256: str
    processes: dict[str, str]
    events: int
    options: tuple[str, ...]
    least: float


# fmt: off
SHIPPED: dict[str, Shipped] = {
    "egamma": Shipped(
        "b7ff72f24393cc8a305033bc0845e94e3cd76bdf5a8918bbf061666b7391e3f6",
        {"electron": "electron_gun", "photon": "photon_gun"}, 60, ALONE, 0.95,
    ),
    "tau": Shipped(
        "409307979b401dfe142b24d7f241a0c78820b2735844144f7da38cc5f2d754d6",
        {"tau": "z_jet_tautau", "qcd": "qcd_20_200"}, 150, (*ALONE, *AK4), 0.85,
    ),
    "links": Shipped(
        "6e600dc1f1336caa8d03d9cf6072cd8c08933347f07e3dbd0ded9f9254d962d8",
        {"top": "ttbar", "qcd": "qcd"}, 60, ALONE, 0.9,
    ),
    "links-pixels": Shipped(
        "1cf01d2592f7ebb9ecf6ded0c392fcd61607b5bc1072d6517179b5d521376c62",
        {"top": "ttbar", "qcd": "qcd"}, 60, ALONE, 0.9,
    ),
    "diphoton-mass": Shipped(
        "92f90328db742d1a907e38725389a1a304413bb278a24aa329d13e5c065c82eb",
        {"a": "a_gammagamma", "photon": "photon_gun"}, 60, ALONE, 0.6,
    ),
    "ditau-mass": Shipped(
        "baa0ad38fe221dd382ad79a9162601123cee79d9d1b4d8e00f98cd5746f853fe",
        {"a": "a_tautau", "tau": "z_jet_tautau"}, 90, (*ALONE, *AK4), 0.5,
    ),
}
# fmt: on


def test_every_bundle_is_looked_at() -> None:
    assert {*BUNDLES, *SHIPPED} == set(ALL)


@pytest.mark.parametrize("name", SHIPPED)
def test_a_network_is_the_one_that_was_published(name: str) -> None:
    assert sha256((FOLDER / name / "model.onnx").read_bytes()).hexdigest() == SHIPPED[name].sha256
    assert (FOLDER / name / "README.md").read_text() == card(read_metadata(FOLDER / name))


@pytest.fixture(scope="module", params=SHIPPED)
def sample(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> tuple[str, Path]:
    """A bundle, and a folder with the data set of its task and the same events for C++, which finds the seeds."""
    shipped, task = SHIPPED[request.param], read_metadata(FOLDER / request.param).info.configuration["name"]

    def make(folder: Path) -> None:
        folder.mkdir()
        words = ["--task", task, "--set", "resampling=null"]
        for seed, (name, process) in enumerate(shipped.processes.items(), 71):
            file = folder / f"{name}.root"
            made = ["simulate", "--process", process, "--events", str(shipped.events), "--seed", str(seed)]
            assert main([*made, "--no-images", *shipped.options, "--output", str(file)]) == 0
            words += ["--sample", f"{name}={file}"]
        assert main(["build-graphs", *words, "--output", str(folder / "data")]) == 0
        assert main(["dump-events", *words, "--output", str(folder / "events.e2e"), "--find-seeds"]) == 0

    return request.param, made_once(tmp_path_factory, f"pretrained_{request.param}", make)


def test_it_is_right_and_cpp_gives_the_same_as_python(sample: tuple[str, Path], runner: Path, tmp_path) -> None:
    name, folder = sample
    output = tmp_path / "scores.parquet"
    assert main(["predict", str(FOLDER / name), "--data", str(folder / "data"), "--output", str(output)]) == 0
    scores, info = read_scores(output), read_metadata(FOLDER / name).info
    found = infer(runner, FOLDER / name, folder / "events.e2e", tmp_path)
    kind = "predicted" if info.signal is None else "score"
    identities = zip(*(scores.jets[key].tolist() for key in ("run", "lumi", "event", "jet")), strict=True)
    in_cpp = np.array([found.scores(identity, kind) for identity in identities])
    np.testing.assert_allclose(in_cpp, scores.values, atol=1e-4, rtol=0 if info.signal else 1e-4)
    label = scores.jets["label"]
    if info.signal is None:
        real = label == info.classes.index("a")
        truth = scores.jets["target_gen_mass"][real]
        assert real.sum() > 40
        assert np.corrcoef(scores.values[real, 0], truth)[0, 1] > SHIPPED[name].least
    else:
        number = info.classes.index(info.signal)
        assert min((label == number).sum(), (label != number).sum()) > 20
        assert roc_curve(label == number, scores.probabilities[:, number]).auc > SHIPPED[name].least
