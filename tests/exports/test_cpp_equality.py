"""From raw deposits to scores: C++ and Python give the same seeds, the same nodes bit for bit, the same scores."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pytest

from e2egraph.cli import main
from e2egraph.data.padding import pad
from e2egraph.graphs.making.nodeselection import select_nodes
from e2egraph.graphs.storage.manifest import read_manifest
from e2egraph.graphs.storage.pointclouds import PointClouds, concatenate
from e2egraph.graphs.storage.shards import first_jets, open_shard
from e2egraph.inference.predict import predict_dataset
from e2egraph.inference.session import Bundle
from e2egraph.tasks.nodeselection import NodeSelection
from e2egraph.tasks.task import make_task
from tests.export.bundles import export
from tests.exports.conftest import about, jet_linear_network
from tests.exports.cpp_files import Inferred, assert_same_nodes, infer
from tests.made_once import made_once
from tests.models.zoo import build

# Lower and wider than the task's own, so that few events give many jets; a cap that many of them exceed.
SETTINGS = ("object.pt_min=170", "object.abs_eta_max=2.4", "object.edge_towers=2")
SETTINGS += ("inputs.cap=900", "resampling=null")

NARROW = NodeSelection(
    channels=["TRACK", "BPIX1", "BPIX2", "ECAL", "HCAL"],
    thresholds={"TRACK": 1.0, "ECAL": 0.25},
    half_window=45,
    radius=0.7,
    cap=300,
)
# The model, which of the nodes it reads, and how many jets of each class it scores (None: all).
MODELS: dict[str, tuple[NodeSelection, int | None]] = {
    "tracks-and-cells": (NARROW, None),
    "jet-linear": (NodeSelection(), None),
    "gravnet": (NodeSelection(cap=200), 30),
    "resnet15": (NodeSelection(channels=["TRACK", "ECAL", "HCAL"], half_window=37), 30),
}


@dataclass(frozen=True)
class Sample:
    """Two simulated files as a data set and as the jets C++ reads, with and without their seeds."""

    folder: Path

    @property
    def files(self) -> list[str]:
        return [f"--sample={name}={self.folder / name}.root" for name in ("top", "qcd")]

    def clouds(self) -> PointClouds:
        data = self.folder / "data"
        files = [open_shard(data / shard.name) for shard in read_manifest(data).shards]
        return concatenate([file.read() for file in files])

    def bundle(self, name: str) -> Path:
        return self.folder / "bundles" / name


def sets(settings: tuple[str, ...]) -> list[str]:
    return [word for setting in settings for word in ("--set", setting)]


def make_sample(folder: Path) -> None:
    folder.mkdir()
    sample = Sample(folder)
    for seed, (name, process) in enumerate((("top", "ttbar"), ("qcd", "qcd")), 21):
        words = ["simulate", "--process", process, "--events", "250", "--seed", str(seed), "--no-images"]
        assert main([*words, "--output", str(folder / f"{name}.root")]) == 0
    common = ["--task", "top", "--trust-sample-names", *sample.files, *sets(SETTINGS)]
    assert main(["build-graphs", *common, "--output", str(folder / "data")]) == 0
    assert main(["dump-events", *common, "--output", str(folder / "all.e2e")]) == 0
    assert main(["dump-events", *common, "--output", str(folder / "few.e2e"), "--max-jets", "30", "--find-seeds"]) == 0
    manifest = read_manifest(folder / "data")
    task, inputs = make_task(manifest.configuration, "data set"), manifest.network_inputs
    for name, (selection, _) in MODELS.items():
        model = jet_linear_network(inputs) if name == "jet-linear" else build(name, n_outputs=2, inputs=inputs)
        jets = pad(select_nodes(first_jets(folder / "data", 4), selection, inputs.numbers), inputs)
        export(model, sample.bundle(name), about(name, task, selection), inputs=inputs, sample=jets)


@pytest.fixture(scope="module")
def sample(tmp_path_factory: pytest.TempPathFactory) -> Sample:
    return Sample(made_once(tmp_path_factory, "sample", make_sample))


@pytest.fixture(scope="module", params=MODELS)
def compared(request, runner, sample, tmp_path_factory) -> tuple[Bundle, PointClouds, Inferred]:
    """A bundle, Python's jets with the nodes it reads, and what C++ made of the same files."""
    few = MODELS[request.param][1] is not None
    bundle = Bundle.open(sample.bundle(request.param), 1)
    found = infer(
        runner,
        bundle.folder,
        sample.folder / ("few.e2e" if few else "all.e2e"),
        tmp_path_factory.mktemp("found"),
        *(("--batch", "7", "--threads", "3") if few else ()),
    )
    clouds = bundle.select(sample.clouds())
    there = np.array([identity in found.rows for identity in identities(clouds)])
    return bundle, clouds.take(there), found


def identities(clouds: PointClouds) -> list[tuple[int, int, int, int]]:
    columns = [clouds.jets[name].tolist() for name in ("run", "lumi", "event", "jet")]
    return list(zip(*columns, strict=True))


def test_cpp_scores_the_jets_of_the_data_set(compared, sample):
    bundle, clouds, found = compared
    few = MODELS[bundle.metadata.info.model][1]
    assert len(clouds) == len(found.rows) == len(found.nodes) == (2 * few if few else len(sample.clouds()))
    assert few or len(clouds) >= 1000
    assert {row["cut"] for row in found.rows.values()} == {"none"}
    labels = [int(found.rows[identity]["label"]) for identity in identities(clouds)]
    assert labels == clouds.jets["label"].tolist()


def test_seeds_are_equal_given_or_found(compared):
    _, clouds, found = compared
    for i, identity in enumerate(identities(clouds)):
        row = found.rows[identity]
        assert (int(row["seed_ieta"]), int(row["seed_iphi"])) == (
            clouds.jets["seed_ieta"][i],
            clouds.jets["seed_iphi"][i],
        )


def test_nodes_are_equal_bit_for_bit(compared):
    bundle, clouds, found = compared
    cut = clouds.counts - np.minimum(clouds.counts, bundle.cap)
    for i, identity in enumerate(identities(clouds)):
        first = clouds.offsets[i]
        last = min(clouds.offsets[i + 1], first + bundle.cap)
        expected = {name: column[first:last] for name, column in clouds.nodes.items()}
        assert_same_nodes(found.nodes[identity], expected, identity)
        row = found.rows[identity]
        assert int(row["n_nodes"]) == last - first
        assert int(row["nodes_cut"]) == clouds.jets["nodes_cut"][i] + cut[i]
    assert clouds.jets["nodes_cut"].any() or cut.any()


def test_scores_and_logits_agree(compared):
    bundle, clouds, found = compared
    few = clouds if MODELS[bundle.metadata.info.model][1] else clouds.take(np.arange(0, len(clouds), 20))
    for kind, scores in (
        ("score", bundle.probabilities(pad(few, bundle.inputs))),
        ("logit", bundle.logits(pad(few, bundle.inputs))),
    ):
        here = np.stack([found.scores(identity, kind) for identity in identities(few)])
        np.testing.assert_allclose(here, scores, atol=1e-4, rtol=1e-5)
        assert np.ptp(scores[:, 1]) > 1e-3, "scores that tell no jets apart prove nothing"


@pytest.mark.parametrize("name", [name for name, (_, few) in MODELS.items() if few is None])
def test_all_scores_of_predict_and_of_cpp_agree(name, runner, sample, tmp_path):
    import pyarrow.parquet as pq

    bundle = sample.bundle(name)
    predict_dataset(bundle, sample.folder / "data", tmp_path / "scores.parquet", threads=1)
    table = pq.read_table(tmp_path / "scores.parquet").to_pylist()
    found = infer(runner, bundle, sample.folder / "all.e2e", tmp_path)
    assert len(table) == len(found.rows) >= 1000
    for row in table:
        identity = (row["run"], row["lumi"], row["event"], row["jet"])
        np.testing.assert_allclose(found.scores(identity), [row["score_qcd"], row["score_top"]], atol=1e-4)
