"""The CMSSW package on a made-up event: what becomes of deposits and jets."""

from __future__ import annotations

import re

import numpy as np
import pytest

from e2egraph.errors import InputError
from e2egraph.inference.session import Bundle
from tests.export.bundles import CLASS_AND_MASS, CLASSES
from tests.exports.cmssw_program import (
    SCORED,
    VERTEX,
    at_the_end,
    execute,
    lines,
    numbers,
    read_otherwise,
)
from tests.exports.conftest import bundle_for, made_up_task


def test_crystals_of_barrel_and_endcaps_are_rows_and_columns_of_the_image(cmssw_run, jet_linear):
    crystals = numbers(lines(cmssw_run, "run", jet_linear)["crystal"])
    # EB by EBDetId; EE: energies of a cell summed, no time, nothing below 1.479, nothing without energy. phi = 45.5
    # degrees is column 55; eta 1.49 lies in the first fifth of 1.479 … 1.566, 2.99 in the last of 2.65 … 3.
    expected = [(140, 0, 2.5, 0.5), (55, 359, 1.5, -1), (159, 26, 7.5, 0.25), (0, 55, 4, 0), (225, 55, 4, 0)]
    assert crystals == pytest.approx(np.array(expected, dtype=float))


def test_tower_depths_are_summed_and_wide_towers_shared(cmssw_run, jet_linear):
    towers = numbers(lines(cmssw_run, "run", jet_linear)["tower"])
    # Rows: ieta + 28 below 0, ieta + 27 above; columns: iphi + 1, modulo 72.
    expected = [(0, 2, 2), (0, 3, 2), (16, 38, 6), (31, 5, 7), (32, 5, 30), (48, 0, 4), (48, 1, 4)]
    assert towers == pytest.approx(np.array(expected, dtype=float))


def test_tracks_are_selected_and_relative_to_the_vertex(cmssw_run, jet_linear):
    tracks = numbers(lines(cmssw_run, "run", jet_linear)["track"])
    dx, dy, dz = 0.05, 0.1, 0.5
    expected = []
    for pt, eta, phi, charge in ((10, 0.25, 0.3, -1), (0.8, -0.5, 3.0, 1)):
        d0 = dx * np.sin(phi) - dy * np.cos(phi)
        z0 = dz - (dx * np.cos(phi) + dy * np.sin(phi)) * np.sinh(eta)
        # Errors of the stand-in's tracks: 0.02 and 0.03 cm; of the vertex: 0.003, 0.004 and 0.01 cm.
        d0_error, z0_error = np.sqrt(0.02**2 + 0.003**2 + 0.004**2), np.hypot(0.03, 0.01)
        turned = np.angle(np.exp(1j * (phi + 0.2)))
        expected.append((pt, eta, turned, d0, z0, d0 / d0_error, z0 / z0_error, charge))
    assert tracks == pytest.approx(np.array(expected), rel=1e-5)


@pytest.mark.parametrize(
    ("direction", "phi", "number"), [("ecal_point", 0.4, 2), ("ecal_momentum", 0.5, 2), ("vertex", 0.3, 3)]
)
def test_the_bundle_says_where_directions_of_tracks_are_taken(cmssw_run, jet_linear, tmp_path, direction, phi, number):
    """The stand-in bends tracks by 0.1 rad on the way, and by 0.2 in direction; one does not reach the ECAL."""
    bundle = read_otherwise(jet_linear, tmp_path / "bundle", track_direction=direction)
    tracks = numbers(lines(cmssw_run, "run", bundle)["track"])
    assert tracks[0, 2] == pytest.approx(phi, rel=1e-5)
    assert len(tracks) == number
    # A parameter may repeat what the bundle says.
    assert numbers(lines(cmssw_run, "run", bundle, f"trackDirection={direction}")["track"]) == pytest.approx(tracks)


def test_a_parameter_that_contradicts_the_bundle_or_is_missing_is_refused_in_one_sentence(
    cmssw_run, jet_linear, tmp_path
):
    silent = read_otherwise(jet_linear, tmp_path / "silent", track_direction=None, seed_depth=None)
    given = ("trackDirection=vertex", "seedDepth=0")
    for words, expected in (
        (
            (jet_linear, "trackDirection=vertex"),
            r"trackDirection is vertex, but the bundle's network was trained with ecal_momentum; leave .*\.",
        ),
        ((jet_linear, "seedDepth=0"), r"seedDepth is 0, but the bundle's network was trained with 1; leave .*\."),
        (
            (jet_linear, "trackDirection=moon"),
            r"trackDirection is 'moon'; give ecal_point, ecal_momentum or vertex.*\.",
        ),
        ((jet_linear, "seedDepth=8"), r"seedDepth is 8; give 0 .* to 7.*\."),
        ((silent, given[0]), r"The bundle does not say which seedDepth .*set it to 0 \(depths summed\) or a depth.*\."),
        ((silent, given[1]), r"The bundle does not say which trackDirection .*set it to ecal_point.*\."),
    ):
        for command in ("run", "tags"):
            result = execute(cmssw_run, command, *words)
            assert result.returncode == 1
            assert re.fullmatch(f"Configuration: {expected}\n", result.stderr), result.stderr
    found = lines(cmssw_run, "run", silent, *given)
    assert (found["seed"][0], len(found["track"])) == (["0", "32", "5"], 3)


def test_a_bundle_that_is_read_in_no_known_way_is_damaged(cmssw_run, jet_linear, tmp_path):
    for number, (name, value) in enumerate([("track_direction", "moon"), ("seed_depth", 9), ("seed_depth", "deep")]):
        bundle = read_otherwise(jet_linear, tmp_path / str(number), **{name: value})
        result = execute(cmssw_run, "run", bundle)
        assert (result.returncode, f"'info.{name}' is not " in result.stderr) == (1, True), result.stderr
        with pytest.raises(InputError, match=f"info.{name} is {value}"):
            Bundle.open(bundle, 1)


def test_hits_lie_relative_to_the_vertex_in_the_layers_that_are_channels(cmssw_run, jet_linear):
    hits = lines(cmssw_run, "run", jet_linear)["hit"]
    # Not the matched hit, whose rphi and stereo hits count already, unless it is asked for.
    assert [hit[0] for hit in hits] == ["BPIX1", "BPIX4", "TIB1", "TOB2"]
    matched = lines(cmssw_run, "run", jet_linear, "matchedStripHits=matchedRecHit")["hit"]
    assert [hit[0] for hit in matched] == ["BPIX1", "BPIX4", "TIB1", "TOB2", "TIB2"]
    # The stand-in's modules lie at (1, 2, 3).
    local = np.array([(3, 1, 0), (14, 3, 2), (25, 5, 1), (69, 10, 4)])
    assert numbers([hit[1:] for hit in hits]) == pytest.approx(local + np.array([1, 2, 3]) - VERTEX, rel=1e-6)


def test_without_a_vertex_positions_are_absolute(cmssw_run, jet_linear):
    found = lines(cmssw_run, "run", jet_linear, "no-vertex")
    assert found["event"] == [["1", "2", "3", "0"]]
    assert numbers([found["hit"][0][1:]]) == pytest.approx(np.array([[4, 3, 3]]))


@pytest.mark.parametrize(("depth", "row"), [(1, 31), (0, 32)])
def test_the_seed_is_sought_in_the_depth_that_the_bundle_says(cmssw_run, jet_linear, tmp_path, depth, row):
    # 30 GeV in depth 2 of row 32, 5 in depth 1 of row 31.
    seeds = lines(cmssw_run, "run", read_otherwise(jet_linear, tmp_path / "bundle", seed_depth=depth))["seed"]
    assert seeds[0] == ["0", str(row), "5"]


@pytest.mark.parametrize("settings", [(), ("batchSize=1",), ("batchSize=2",), ("no-vertex",)])
def test_the_producer_puts_the_library_s_scores_and_refuses_with_minus_one(cmssw_run, jet_linear, settings):
    rows = lines(cmssw_run, "run", jet_linear, *settings)["score"]
    assert {row[0] for row in rows} == {"qcd", "top"}
    scores = {(row[0], int(row[1])): (float(row[2]), float(row[3])) for row in rows}
    assert len(scores) == 10
    for (_, jet), (produced, expected) in scores.items():
        assert produced == pytest.approx(expected, abs=1e-5)
        assert (produced == -1) == (jet not in SCORED)
    sums = [scores["qcd", jet][0] + scores["top", jet][0] for jet in SCORED]
    assert sums == pytest.approx([1] * 3, abs=1e-5)
    assert len({scores["top", jet][0] for jet in SCORED}) == 3


def test_an_event_without_jets_is_no_error(cmssw_run, jet_linear):
    for command in ("run", "tags"):
        assert execute(cmssw_run, command, jet_linear, "no-jets").returncode == 0


@pytest.mark.parametrize("objective", [CLASSES, CLASS_AND_MASS], ids=["classification", "joint"])
def test_jets_without_nodes_have_score_minus_one_and_are_counted(objective, cmssw_run, tmp_path):
    """The one hit of BPIX1 lies in the region of the last jet alone."""
    bundle = bundle_for(made_up_task(objective, channels=["BPIX1"], half_window=20), tmp_path / "bundle")
    result = execute(cmssw_run, "run", bundle)
    rows = [line.split(" ")[1:] for line in result.stdout.splitlines() if line.startswith("score ")]
    produced, library = numbers([row[2:] for row in rows]).T
    of_class = np.array([row[0] in ("qcd", "top") for row in rows])
    last = np.array([row[1] == "4" for row in rows])
    assert ((produced >= 0) & (produced <= 1))[last & of_class].all()
    assert (produced[~last & of_class] == -1).all()
    assert np.isnan(produced[~last & ~of_class]).all() and np.isfinite(produced[last]).all()
    np.testing.assert_allclose(produced, library, rtol=1e-5)
    # The second jet is refused, and not counted.
    assert result.stderr == at_the_end(3) + "\n"


def test_a_deposit_that_is_not_finite_is_left_out_with_a_warning(cmssw_run, jet_linear):
    """Two tracks, a hit, a crystal of the barrel and one of an endcap, and a tower; of one crystal only the time."""
    good, bad = (lines(cmssw_run, "run", jet_linear, *words) for words in ((), ("nan",)))
    assert bad["crystal"].pop(3) == ["163", "26", "4.5", "0"]
    for kind in ("track", "hit", "crystal", "tower", "seed"):
        assert bad[kind] == good[kind], kind
    for command, instead in (("run", "score -1, prediction NaN"), ("tags", "TagInfo without features")):
        assert execute(cmssw_run, command, jet_linear, "nan").stderr.splitlines() == [
            "E2EGraph: event 1:2:3: 7 deposits hold NaN or infinite values; they are left out, a time alone set to 0.",
            at_the_end(1, deposits=7, instead=instead),
        ]


def test_a_jet_that_is_not_finite_is_refused_with_a_warning_and_the_others_are_scored(cmssw_run, jet_linear):
    result = execute(cmssw_run, "run", jet_linear, "bad-jet")
    assert result.returncode == 0, result.stderr
    *jets, end = result.stderr.splitlines()
    # tau1 of the third, and phi of the fourth.
    assert [line.split(" is not scored: ")[0] for line in jets] == ["E2EGraph: jet 2", "E2EGraph: jet 3"]
    assert all("NaN or infinite" in line for line in jets)
    assert end == at_the_end(0, unusable=2)
    scores = {(row[0], row[1]): float(row[2]) for row in lines(cmssw_run, "run", jet_linear, "bad-jet")["score"]}
    assert [scores["top", str(jet)] == -1 for jet in range(5)] == [False, True, True, True, False]
