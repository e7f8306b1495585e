"""The boosted tree's variables of clusters against a loop over crystals, tracks and hits."""

import math

import numpy as np
import pytest

from e2egraph.detector.geometry import ETA_PITCH, PHI_PITCH
from e2egraph.graphs.storage.pointclouds import PointClouds
from tests.scripts import loading

ECAL, TRACK, BPIX1 = 9, 0, 1


@pytest.fixture(scope="module")
def made():
    with loading.script("cluster_variables") as module:
        yield module


def clouds(jets, seed=3):
    """Clusters of crystals at whole offsets from the seed, with tracks and hits around."""
    rng = np.random.default_rng(seed)
    parts = []
    for jet in range(jets):
        cells = rng.permutation(33 * 33)[: 40 * (jet > 0)]
        row, column = cells // 33 - 16, cells % 33 - 16
        energy = rng.exponential(1.0, len(cells)) * np.exp(-np.hypot(row, column / 2))
        tracks = rng.integers(0, 4)
        hits = rng.integers(0, 6)
        deta = np.concatenate([row * ETA_PITCH, rng.normal(0, 0.03, tracks), rng.normal(0, 0.03, hits)])
        dphi = np.concatenate([column * PHI_PITCH, rng.normal(0, 0.1, tracks), rng.normal(0, 0.2, hits)])
        channel = np.concatenate([np.full(len(cells), ECAL), np.full(tracks, TRACK), np.full(hits, BPIX1)])
        value = np.concatenate([energy, rng.exponential(5.0, tracks), np.ones(hits)])
        parts.append((deta, dphi, channel, value, rng.normal(0, 2, len(value)), rng.choice([-1.0, 1.0], len(value))))
    columns = [np.concatenate(column) for column in zip(*parts, strict=True)]
    names = ("deta", "dphi", "channel", "value", "d0_sig", "charge")
    counts = np.array([len(part[0]) for part in parts])
    offsets = np.concatenate([[0], np.cumsum(counts)])
    nodes = {name: column.astype(np.float32) for name, column in zip(names, columns, strict=True)}
    nodes["channel"] = columns[2].astype(np.uint8)
    return PointClouds({"jet_pt": np.full(jets, 20.0, np.float32)}, nodes, offsets)


def of_loop(given, jet):
    """The crystals of one cluster by offset, and its tracks and hits."""
    nodes = {name: values[given.offsets[jet] : given.offsets[jet + 1]] for name, values in given.nodes.items()}
    crystal = {}
    for deta, dphi, channel, value in zip(*(nodes[n] for n in ("deta", "dphi", "channel", "value")), strict=True):
        if channel == ECAL:
            crystal[round(float(deta) / ETA_PITCH), round(float(dphi) / PHI_PITCH)] = float(value)
    return nodes, crystal


def test_shower_shapes_are_sums_over_crystals(made):
    given = clouds(30)
    found = dict(zip(made.OF_CRYSTALS, made.crystal_variables(made.crops(given, ECAL)), strict=True))
    for jet in range(30):
        _, crystal = of_loop(given, jet)
        square = {at: e for at, e in crystal.items() if max(map(abs, at)) <= 2}
        strip = {at: e for at, e in crystal.items() if abs(at[0]) <= 2 and abs(at[1]) <= 8}
        total, whole = sum(square.values()), sum(strip.values())
        assert found["crystals"][jet] == sum(e > 0.1 for e in strip.values())
        if not total:
            assert all(found[name][jet] == 0 for name in ("seed_share", "sigma_ieta_ieta", "lopsided_phi"))
            continue
        weight = {at: max(0.0, 4.7 + math.log(e / total)) for at, e in square.items()}
        norm = sum(weight.values())
        mean = [sum(w * at[axis] for at, w in weight.items()) / norm for axis in (0, 1)]

        def spread(one, other, weight=weight, mean=mean, norm=norm):
            return sum(w * (at[one] - mean[one]) * (at[other] - mean[other]) for at, w in weight.items()) / norm

        ranked = sorted(square.values(), reverse=True)
        along = {c: sum(e for at, e in strip.items() if at[1] == c) for c in range(-8, 9) if abs(c) > 2}
        expected = {
            "seed_share": ranked[0] / total,
            "second_share": (ranked[1] if len(ranked) > 1 else 0) / total,
            "share_5x5": total / whole,
            "sigma_ieta_ieta": math.sqrt(spread(0, 0)),
            "sigma_iphi_iphi": math.sqrt(spread(1, 1)),
            "sigma_ieta_iphi": spread(0, 1),
            "lopsided_eta": abs(sum(e * at[0] for at, e in square.items()) / total),
            "lopsided_phi": abs(sum(e * at[1] for at, e in square.items()) / total),
            "strip_share": sum(along.values()) / whole,
            "strip_largest": max(along.values()) / whole,
            "strip_distance": abs(max(along, key=along.get)) if any(along.values()) else 0,
            "around_share": (sum(crystal.values()) - whole) / whole,
        }
        for name, value in expected.items():
            assert found[name][jet] == pytest.approx(value, abs=1e-6), name


def test_tracks_and_hits_are_those_in_front(made):
    given, channels = clouds(30), ("TRACK", "BPIX1", "ECAL")
    numbers = {"TRACK": TRACK, "BPIX1": BPIX1, "ECAL": ECAL}
    values = made.of_nodes(given, given.jets, numbers, channels, 0.15)
    found = dict(zip(made.names(channels), values, strict=True))
    alone = made.of_nodes(given, given.jets, numbers, ("TRACK",), 0.15)
    assert made.names(("TRACK",)) == made.OF_TRACKS and len(alone) == len(made.OF_TRACKS)
    for jet in range(30):
        nodes, _ = of_loop(given, jet)
        of_track = (nodes["channel"] == TRACK) & (nodes["value"] > 1.0)
        near = np.flatnonzero(of_track & (np.hypot(nodes["deta"], nodes["dphi"]) < 0.15))
        assert found["tracks"][jet] == len(near)
        of_hit = (nodes["channel"] == BPIX1) & (np.abs(nodes["deta"]) < 0.03) & (np.abs(nodes["dphi"]) < 0.2)
        assert found["BPIX1_hits"][jet] == of_hit.sum()
        if len(near):
            hardest = near[nodes["value"][near].argmax()]
            assert found["track_pt_share"][jet] == pytest.approx(nodes["value"][hardest] / 20.0)
            assert found["track_deta"][jet] == pytest.approx(abs(nodes["deta"][hardest]))
            assert found["track_bend"][jet] == pytest.approx(nodes["dphi"][hardest] * nodes["charge"][hardest])
            assert found["track_d0_sig"][jet] == pytest.approx(abs(nodes["d0_sig"][hardest]))
        else:
            assert found["track_pt_share"][jet] == found["track_bend"][jet] == 0
