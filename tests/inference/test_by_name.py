"""Bundles and data sets of other inputs and objectives than each other's: columns are found by their names."""

import json
import shutil
import subprocess
import sys
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import numpy as np
import pyarrow.parquet as pq
import pytest
import torch

from e2egraph.cli import main
from e2egraph.data.padding import pad
from e2egraph.data.scores import IDENTITY, read_scores
from e2egraph.graphs.making.nodeselection import select_nodes
from e2egraph.graphs.storage.manifest import read_manifest
from e2egraph.inference.latency import latency
from e2egraph.inference.predict import predict_dataset
from e2egraph.inference.session import Bundle
from e2egraph.tasks.inputs import Inputs
from e2egraph.tasks.nodeselection import NodeSelection
from tests.all_inputs import INPUTS
from tests.changed_dataset import with_more
from tests.export.bundles import (
    CLASSES,
    REDUCED,
    info,
)
from tests.inference.made_bundles import OBJECTIVES, bundle_of
from tests.inference.test_predict import all_jets
from tests.toy_dataset import toy_clouds


@pytest.mark.parametrize("objective", OBJECTIVES)
@pytest.mark.parametrize("inputs", [INPUTS, REDUCED], ids=["all inputs", "reduced inputs"])
def test_scores_hold_what_every_head_gives_with_the_targets(
    data_of: Callable[[str], Path], bundles: Callable, objective: str, inputs: Inputs, tmp_path: Path
) -> None:
    folder = data_of(objective)
    bundle, model = bundles(objective, inputs)
    output = tmp_path / "scores.parquet"
    assert predict_dataset(bundle, folder, output, threads=1).jets == 60
    targets = {"classification": [], "regression": ["gen_mass", "gen_pt"], "joint": ["gen_mass"]}[objective]
    classes = [] if objective == "regression" else ["score_qcd", "score_top"]
    columns = [*classes, *(f"predicted_{name}" for name in targets)]
    table = pq.read_table(output)
    assert table.column_names == [*IDENTITY, "n_nodes", *columns, *(f"target_{name}" for name in targets)]
    clouds = all_jets(folder)
    jets = pad(clouds, inputs)
    with torch.no_grad():
        values = model(*map(torch.from_numpy, (jets.points, jets.features, jets.mask, jets.jet)))
    if classes:
        values[:, :2] = values[:, :2].softmax(1)
    np.testing.assert_allclose(read_scores(output).values, values.numpy(), rtol=1e-5, atol=1e-5)
    for name in targets:
        np.testing.assert_array_equal(table[f"target_{name}"].to_numpy(), clouds.jets[f"target_{name}"])


def test_a_network_may_know_channels_that_its_task_has_no_nodes_of(
    data_of: Callable[[str], Path], bundles: Callable
) -> None:
    folder = data_of("classification")
    assert len(INPUTS.channels) == 11
    assert len(read_manifest(folder).network_inputs.channels) == 6
    bundle = Bundle.open(bundles("classification", INPUTS)[0], 1)
    jets = pad(all_jets(folder), bundle.inputs)
    assert not jets.features[..., INPUTS.index("is_BPIX4")].any()
    assert np.isfinite(bundle.logits(jets)).all()


@pytest.mark.parametrize("objective", ["classification", "regression"])
def test_channels_and_variables_that_a_bundle_does_not_know_change_no_score(
    data_of: Callable[[str], Path], bundles: Callable, objective: str, tmp_path: Path
) -> None:
    bundle, _ = bundles(objective, REDUCED)
    # A package that is not there: nothing of it is needed to score.
    more = with_more(data_of(objective), tmp_path / "more", "package_of_muons")
    for folder, name in ((data_of(objective), "before"), (more, "after")):
        summary = predict_dataset(bundle, folder, tmp_path / f"{name}.parquet", threads=1)
        assert summary.jets_cut == 0
    before, after = (read_scores(tmp_path / f"{name}.parquet") for name in ("before", "after"))
    assert all_jets(more).counts.sum() == all_jets(data_of(objective)).counts.sum() + 60
    np.testing.assert_array_equal(before.values, after.values)


def test_scoring_needs_neither_torch_nor_the_package_of_an_objective(
    data_of: Callable[[str], Path], bundles: Callable, tmp_path: Path
) -> None:
    bundle = Path(shutil.copytree(bundles("regression", REDUCED)[0], tmp_path / "bundle"))
    more = with_more(data_of("regression"), tmp_path / "more")
    for path in (bundle / "metadata.json", more / "manifest.json"):
        content = json.loads(path.read_text())
        about = content if "configuration" in content else content["info"]
        about["configuration"]["objective"]["kind"] = "quantiles"
        about["configuration"]["extensions"] = ["package_of_quantiles"]
        path.write_text(json.dumps(content))
    program = (
        "import sys; from pathlib import Path; from e2egraph.inference.predict import predict_dataset;"
        "predict_dataset(*map(Path, sys.argv[1:]), threads=1);"
        "assert not {'torch', 'torch_geometric', 'lightning_fabric', 'sklearn'} & set(sys.modules)"
    )
    output = tmp_path / "scores.parquet"
    subprocess.run([sys.executable, "-c", program, str(bundle), str(more), str(output)], check=True)
    assert read_scores(output).columns == ("predicted_gen_mass", "predicted_gen_pt")


def test_nodes_are_those_of_the_task_and_of_these_what_the_run_selected(
    data_of: Callable[[str], Path], tmp_path: Path
) -> None:
    about = info("toy", CLASSES)
    of_task = {"thresholds": {"HCAL": 4.0}, "caps": {"TRACK": 3}, "channels": ["TRACK", "ECAL", "HCAL"]}
    configuration = {**about.configuration, "inputs": {**about.configuration["inputs"], **of_task}}
    own = NodeSelection(radius=0.6, cap=12)
    bundle, model = bundle_of(
        tmp_path / "bundle", "classification", REDUCED, configuration=configuration, node_selection=own
    )
    summary = predict_dataset(bundle, data_of("classification"), tmp_path / "s.parquet", threads=1)
    clouds = all_jets(data_of("classification"))
    numbers = REDUCED.numbers
    task = select_nodes(clouds, NodeSelection(**of_task), numbers)
    selected = select_nodes(task, own, numbers)
    jets = pad(selected, REDUCED)
    with torch.no_grad():
        expected = model(*map(torch.from_numpy, (jets.points, jets.features, jets.mask, jets.jet))).softmax(1)
    expected[~jets.mask.any(1)] = -1.0
    np.testing.assert_allclose(read_scores(tmp_path / "s.parquet").probabilities, expected.numpy(), atol=1e-5)
    tracks = select_nodes(clouds, NodeSelection(channels=["TRACK"]), numbers).counts > 3
    beyond = select_nodes(task, replace(own, cap=None), numbers).counts > 12
    assert summary.jets_cut == (tracks | beyond).sum() > 0


def test_objects_without_nodes_have_score_minus_one_and_no_prediction_and_are_counted(
    data_of: Callable[[str], Path], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    nearest = NodeSelection(channels=["TRACK"], radius=0.2)
    bundle, _ = bundle_of(tmp_path / "bundle", "joint", REDUCED, node_selection=nearest)
    output = tmp_path / "s.parquet"
    assert main(["predict", str(bundle), "--data", str(data_of("joint")), "--output", str(output)]) == 0
    scores = read_scores(output)
    selected = select_nodes(all_jets(data_of("joint")), nearest, REDUCED.numbers)
    assert scores.scored.tolist() == (selected.counts > 0).tolist()
    empty = ~scores.scored
    assert 0 < empty.sum() < 60
    assert (scores.probabilities[empty] == -1).all() and np.isnan(scores.predictions[empty]).all()
    assert (scores.probabilities[~empty] >= 0).all() and np.isfinite(scores.predictions[~empty]).all()
    said = f"60 jets, {empty.sum()} of them without nodes (score −1, prediction NaN)"
    assert said in " ".join(capsys.readouterr().out.split())


def test_latency_is_measured_for_any_heads(bundles: Callable) -> None:
    clouds = toy_clouds(1, 5, np.random.default_rng(0))
    for objective in ("regression", "joint"):
        assert latency(bundles(objective, REDUCED)[0], clouds, batch_sizes=(2,), repeats=3)[2] > 0


def test_numbers_of_channels_are_those_of_the_data_set(
    data_of: Callable[[str], Path], bundles: Callable, tmp_path: Path
) -> None:
    folder = data_of("classification")
    renumbered = replace(
        REDUCED, channels=tuple(replace(known, number=known.number + 100) for known in REDUCED.channels)
    )
    for inputs, name in ((REDUCED, "same"), (renumbered, "other")):
        predict_dataset(bundles("classification", inputs)[0], folder, tmp_path / f"{name}.parquet", threads=1)
    np.testing.assert_array_equal(*(read_scores(tmp_path / f"{n}.parquet").values for n in ("same", "other")))
