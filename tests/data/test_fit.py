"""Whether a data set holds what a network was trained on."""

from pathlib import Path

import pytest

from e2egraph.config import as_dict
from e2egraph.data.fit import check_elements, check_same_elements
from e2egraph.errors import InputError
from e2egraph.graphs.storage.manifest import read_manifest
from e2egraph.tasks.elements import elements_digest
from e2egraph.tasks.task import load_task


@pytest.mark.parametrize(
    ("setting", "message"),
    [
        (
            "elements.track_pt_min=1",
            r"data: elements made with elements.track_pt_min 0.5, those of run with 1.0; build",
        ),
        ("elements.ecal.seed=0.5", r"elements.ecal.seed 0.\d+, those of run with 0.5"),
        ("elements.kind=cells", r"elements.kind clusters, those of run with cells"),
    ],
)
def test_elements_of_other_settings_than_a_network_learnt_from_are_refused(setting, message, flow_data):
    manifest = read_manifest(flow_data)
    with pytest.raises(InputError, match=message):
        check_elements(Path("data"), manifest, as_dict(load_task("particle-flow", [setting])), Path("run"))
    # How particles are assigned to elements decides what is learnt, not what elements are.
    same = as_dict(load_task("particle-flow", ["elements.targets.free_share=0.9"]))
    check_elements(Path("data"), manifest, same, Path("run"))
    without = {name: value for name, value in same.items() if name != "elements"}
    check_elements(Path("data"), manifest, without, Path("run"))


@pytest.mark.parametrize(
    "settings", [["inputs.thresholds={HCAL: 3.0}"], ["inputs.caps={TRACK: 9}"], ["inputs.channels=[TRACK, ECAL]"]]
)
def test_particle_flow_refuses_elements_that_its_task_would_count_otherwise(settings, flow_data):
    manifest = read_manifest(flow_data)
    more = as_dict(load_task("particle-flow", ["inputs.cap=9999"]))
    check_same_elements(Path("data"), manifest, more, Path("run"))
    own = as_dict(load_task("particle-flow", settings))
    with pytest.raises(
        InputError, match=r"data: its task selects elements of .*, that of run .*, so build the data set"
    ):
        check_same_elements(Path("data"), manifest, own, Path("run"))


def test_a_digest_tells_elements_apart_by_all_that_decides_their_numbers_but_how_many():
    def made(*settings, numbers=(("TRACK", 0), ("ECAL", 9))):
        return elements_digest(as_dict(load_task("particle-flow", settings)), dict(numbers), "task")

    same = [made(), made("inputs.cap=9"), made("elements.targets.free_share=0.9")]
    others = [made("elements.track_pt_min=2"), made("elements.kind=cells"), made("inputs.thresholds={HCAL: 3.0}")]
    others += [made("inputs.caps={TRACK: 9}"), made(numbers=(("TRACK", 0), ("ECAL", 8)))]
    others += [made("inputs.field=2"), made("inputs.suppress_displaced=false")]
    assert len(set(same)) == 1 and len({same[0], *others}) == 1 + len(others)
    # Bundles and node files of before the field counted have this one.
    assert same[0] == "15e4ab6679ab147a96acee0bb745497eda5333d565f89c8ea14f021f1481f482"
