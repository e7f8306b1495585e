"""Data sets that a bundle cannot score, and those that it can although they differ from its own."""

import json
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from e2egraph.data.scores import read_scores
from e2egraph.errors import InputError
from e2egraph.graphs.storage.manifest import read_manifest
from e2egraph.inference.predict import predict_dataset
from e2egraph.tasks.nodeselection import NodeSelection
from tests.all_inputs import INPUTS
from tests.export.bundles import (
    MASS_AND_PT,
    REDUCED,
    JetLinear,
    export,
    info,
    outputs_of,
    two_layers,
)
from tests.inference.made_bundles import bundle_of


def rewritten(folder: Path, to: Path, edit: Callable[[dict], None]) -> Path:
    """A data set of the same shards with another manifest."""
    to.mkdir()
    for shard in folder.glob("part-*"):
        (to / shard.name).symlink_to(shard)
    manifest = json.loads((folder / "manifest.json").read_text())
    edit(manifest)
    (to / "manifest.json").write_text(json.dumps(manifest))
    return to


def without_channel(manifest: dict) -> None:
    kept = [entry for entry in manifest["network_inputs"]["channels"] if entry["name"] != "HCAL"]
    manifest["network_inputs"]["channels"] = kept
    manifest["configuration"]["inputs"]["channels"].remove("HCAL")


def smaller_region(manifest: dict) -> None:
    manifest["network_inputs"]["region"] |= {"rows": 65, "columns": 65}


def other_unit(manifest: dict) -> None:
    (d0,) = (one for one in manifest["network_inputs"]["variables"] if one["name"] == "d0")
    d0["unit"] = "mm"


def thresholds(manifest: dict) -> None:
    manifest["configuration"]["inputs"]["thresholds"] = {"ECAL": 2.0}


def built_with(**settings: object) -> Callable[[dict], None]:
    """The edit that makes a data set one of a task with these inputs, whose caps cut a node."""

    def edit(manifest: dict) -> None:
        manifest["configuration"]["inputs"] |= settings
        manifest["nodes"] = {"qcd": {"over_cap": 1}}
        manifest["network_inputs"] |= {name: value for name, value in settings.items() if name == "field"}

    return edit


def other_radius(manifest: dict) -> None:
    (layer,) = (one for one in manifest["network_inputs"]["channels"] if one["name"] == "BPIX1")
    layer["radius"] = 2.9


@pytest.mark.parametrize(
    ("edit", "message"),
    [
        (
            built_with(half_window=10),
            r"bundle asks for half_window without limit, but the data set was built with 10; build it again without "
            r"inputs\.half_window\.",
        ),
        (built_with(radius=0.8), r"asks for radius without limit, .* with 0\.8; build it again without inputs\.radius"),
        (built_with(thresholds={"HCAL": 0.2}), r"asks for thresholds\.HCAL without limit, but .* with 0\.2; build it"),
        (built_with(thresholds={"HCAL": -1.0}), r"asks for thresholds\.HCAL without limit, but .* with -1; build it"),
        (built_with(caps={"TRACK": 2}), r"asks for caps\.TRACK without limit, but .* with 2; build it again without"),
        (built_with(cap=7), r"asks for cap \d+, but the data set was built with 7; build it again with inputs\.cap="),
        (
            built_with(suppress_displaced=False),
            r"built with inputs\.suppress_displaced false, but .*bundle learnt from nodes of true; build it again with "
            r"inputs\.suppress_displaced=true",
        ),
        (built_with(field=2.0), r"built with inputs\.field 2, but .*bundle learnt from nodes of 3\.8; build it again"),
        (other_radius, r"built with inputs\.radii\.BPIX1 2\.9, but .*bundle learnt from nodes of "),
        (without_channel, r"cut: has no nodes of channel HCAL, which .*bundle reads; build it with the same task"),
        (other_unit, r"cut: d0 is in mm, but .*bundle reads it in cm; build it with the same task"),
        (smaller_region, r"nodes lie in 65×65 pixels around the seed tower, those of .*bundle in 125×125 pixels"),
        (thresholds, r"asks for thresholds\.ECAL 0\.5, but the data set was built with 2"),
    ],
)
def test_a_data_set_without_what_the_bundle_reads_is_refused(
    data_of: Callable[[str], Path], edit: Callable[[dict], None], message: str, tmp_path: Path
) -> None:
    selection = NodeSelection(thresholds={"ECAL": 0.5})
    bundle, _ = bundle_of(tmp_path / "bundle", "classification", INPUTS, node_selection=selection)
    cut = rewritten(data_of("classification"), tmp_path / "cut", edit)
    with pytest.raises(InputError, match=message) as failure:
        predict_dataset(bundle, cut, tmp_path / "scores.parquet", threads=1)
    assert "\n" not in str(failure.value)
    assert not (tmp_path / "scores.parquet").exists()


def test_elements_of_other_settings_than_the_bundles_are_refused(
    data_of: Callable[[str], Path], tmp_path: Path
) -> None:
    bundle, _ = bundle_of(tmp_path / "bundle", "classification", INPUTS)
    metadata = json.loads((bundle / "metadata.json").read_text())
    metadata["info"]["configuration"]["elements"] = {"kind": "clusters", "track_pt_min": 0.7}
    (bundle / "metadata.json").write_text(json.dumps(metadata))

    def elements(manifest: dict) -> None:
        manifest["configuration"]["elements"] = {"kind": "clusters", "track_pt_min": 0.5}

    other = rewritten(data_of("classification"), tmp_path / "other", elements)
    with pytest.raises(InputError, match=r"other: elements made with elements.track_pt_min 0.5, those of .* with 0.7"):
        predict_dataset(bundle, other, tmp_path / "s.parquet", threads=1)


def test_a_channel_that_the_run_left_out_may_be_missing(data_of: Callable[[str], Path], tmp_path: Path) -> None:
    selection = NodeSelection(channels=["TRACK", "ECAL"])
    bundle, _ = bundle_of(tmp_path / "bundle", "classification", INPUTS, node_selection=selection)
    cut = rewritten(data_of("classification"), tmp_path / "cut", without_channel)
    for folder, name in ((data_of("classification"), "before"), (cut, "after")):
        predict_dataset(bundle, folder, tmp_path / f"{name}.parquet", threads=1)
    before, after = (read_scores(tmp_path / f"{name}.parquet") for name in ("before", "after"))
    np.testing.assert_array_equal(before.values, after.values)


def test_missing_variables_and_object_quantities_are_named(data_of: Callable[[str], Path], tmp_path: Path) -> None:
    own = replace(REDUCED.variables[0], name="muon_quality")
    inputs = replace(REDUCED, variables=(*REDUCED.variables, own))
    bundle, _ = bundle_of(tmp_path / "bundle", "classification", inputs)
    with pytest.raises(InputError, match="has no variable muon_quality, which"):
        predict_dataset(bundle, data_of("classification"), tmp_path / "s.parquet", threads=1)
    inputs = replace(REDUCED, object=(*REDUCED.object, replace(REDUCED.object[0], name="n_muons")))
    export(JetLinear(inputs).eval(), tmp_path / "jet", inputs=inputs)
    with pytest.raises(InputError, match="has no object quantity n_muons, which"):
        predict_dataset(tmp_path / "jet", data_of("classification"), tmp_path / "s.parquet", threads=1)
    # One that the network does not read need not be there.
    bundle, _ = bundle_of(tmp_path / "none", "classification", inputs)
    predict_dataset(bundle, data_of("classification"), tmp_path / "s.parquet", threads=1)


def test_a_data_set_of_files_that_lack_a_variable_is_scored_where_the_training_files_lacked_it_too(
    data_of: Callable[[str], Path], tmp_path: Path
) -> None:
    def lacking(manifest: dict) -> None:
        manifest["missing"] = [f"a: {name}" for name in ("gen", "jets.tau1", "ecal.time", "tracks.d0_err")]

    other = rewritten(data_of("classification"), tmp_path / "other", lacking)
    of_full, _ = bundle_of(tmp_path / "full", "classification", REDUCED)
    message = (
        r"other: files that it was built from have no ecal\.time, so that time, which .*full reads, is 0; build it"
    )
    with pytest.raises(InputError, match=message):
        predict_dataset(of_full, other, tmp_path / "s.parquet", threads=1)
    of_such, _ = bundle_of(tmp_path / "such", "classification", REDUCED, lacking=["ecal.time"])
    assert predict_dataset(of_such, other, tmp_path / "s.parquet", threads=1).jets == 60
    # A bundle of an earlier version knows it of its own data set alone.
    digest = read_manifest(other).digest
    own, _ = bundle_of(tmp_path / "own", "classification", REDUCED, dataset_sha256=digest)
    assert predict_dataset(own, other, tmp_path / "s.parquet", threads=1).jets == 60
    # A significance is made of the error.
    of_all, _ = bundle_of(tmp_path / "all", "classification", INPUTS, lacking=["ecal.time"])
    with pytest.raises(InputError, match=r"have no tracks\.d0_err, so that d0_sig, which"):
        predict_dataset(of_all, other, tmp_path / "s.parquet", threads=1)


@pytest.mark.parametrize(
    ("of_bundle", "of_data", "message"),
    [
        (
            "regression",
            "classification",
            r"its objective is classification \(classes qcd, top\), that of .* regression of",
        ),
        ("classification", "regression", r"its objective is regression of gen_mass \[GeV\], gen_pt \[GeV\], that of"),
        ("joint", "regression", r"that of .* classification with regression of gen_mass \[GeV\] \(classes qcd, "),
    ],
)
def test_a_data_set_of_another_objective_is_refused(
    data_of: Callable[[str], Path], bundles: Callable, of_bundle: str, of_data: str, message: str, tmp_path: Path
) -> None:
    bundle, _ = bundles(of_bundle, REDUCED)
    with pytest.raises(InputError, match=message) as failure:
        predict_dataset(bundle, data_of(of_data), tmp_path / "scores.parquet", threads=1)
    assert "\n" not in str(failure.value)


@pytest.mark.parametrize("change", [{"loss": "huber", "weights": [1.0, 2.0]}, {"classes": ["w", "top", "z"]}])
def test_how_a_target_is_learnt_and_of_which_classes_does_not_matter_to_scoring(
    change: dict[str, object], data_of: Callable[[str], Path], tmp_path: Path
) -> None:
    objective = {**MASS_AND_PT, **change}
    outputs = outputs_of(objective)
    export(two_layers(REDUCED, outputs), tmp_path / "bundle", info("toy", objective), inputs=REDUCED, outputs=outputs)
    assert predict_dataset(tmp_path / "bundle", data_of("regression"), tmp_path / "s.parquet", threads=1).jets == 60
