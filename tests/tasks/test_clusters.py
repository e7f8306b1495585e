"""Clusters of crystals, against loops over whole images of the calorimeter."""

import math

import awkward as ak
import numpy as np
import pytest

from e2egraph.errors import UsageError
from e2egraph.tasks.objects.cluster import KIND, ClusterConfig
from e2egraph.tasks.task import TaskConfig, make_task
from tests.tasks.crystals import events_of, random_crystals

ROWS, COLUMNS, FIRST, LAST = 280, 360, 55, 224
USUAL = ClusterConfig()


def on_face(eta, phi):
    """x, y, z on the front face of the barrel."""
    return 129 * math.cos(phi), 129 * math.sin(phi), 129 * math.sinh(eta)


def places(objects):
    """(row, column) of each seed."""
    return list(zip(objects.columns["seed_row"].tolist(), objects.columns["seed_column"].tolist(), strict=True))


def found_by_loops(crystals, vertex, seed_min):
    """(row, column) of each seed → quantities, for crystals (row, column, energy) of one event, in the order they are
    looked at; every crystal stands once."""
    image = np.zeros((ROWS, COLUMNS))
    for row, column, energy in crystals:
        image[row, column] = max(energy, 0.0)
    clusters = {}
    for row, column in sorted((int(r), int(c)) for r, c, e in crystals if e > seed_min):
        own, around = image[row, column], []
        for i in range(-2, 3):
            for j in range(-8, 9):
                if 0 <= row + i < ROWS:
                    around.append((i, j, image[row + i, (column + j) % COLUMNS]))
        if any(e > own or (e == own and (i, j) < (0, 0)) for i, j, e in around):
            continue
        total = sum(e for *_, e in around)
        mean = [sum(cell[k] * cell[2] for cell in around) / total for k in (0, 1)]
        width = [math.sqrt(sum((cell[k] - mean[k]) ** 2 * cell[2] for cell in around) / total) for k in (0, 1)]
        phi = math.radians(column + mean[1] - 10 + 0.5)
        eta = (row + mean[0] - 139.5) * 0.0174
        x, y, z = (a - b for a, b in zip(on_face(eta, phi), vertex, strict=True))
        seen = math.asinh(z / math.hypot(x, y))
        clusters[row, column] = {
            "jet_pt": total / math.cosh(seen),
            "jet_eta": seen,
            "jet_phi": math.atan2(y, x),
            "cluster_energy": total,
            "r9": sum(e for i, j, e in around if abs(i) < 2 and abs(j) < 2) / total,
            "eta_width": width[0],
            "phi_width": width[1],
        }
    return clusters


def check(events, config=USUAL):
    """Clusters found, all equal to those of the loops."""
    objects = KIND.find(events, config)
    expected = []
    for number, event in enumerate(ak.to_list(events)):
        crystals = [(c["ieta"], c["iphi"], np.float32(c["energy"])) for c in event["ecal"]]
        vertex = [event["pv"][axis] for axis in ("x", "y", "z")]
        for jet, ((row, column), values) in enumerate(found_by_loops(crystals, vertex, config.seed_min).items()):
            expected.append((number, jet, row, column, *values.values()))
            names = tuple(values)
    assert len(objects) == len(expected)
    table = np.array(expected).reshape(len(expected), 11).T
    own = [objects.event, *(objects.columns[name] for name in ("jet", "seed_row", "seed_column"))]
    np.testing.assert_array_equal(np.stack(own), table[:4])
    for name, values in zip(names if expected else (), table[4:], strict=True):
        np.testing.assert_allclose(objects.columns[name], values, rtol=2e-6, atol=2e-6, err_msg=name)
    np.testing.assert_array_equal(objects.centres.row, table[2])
    np.testing.assert_array_equal(objects.centres.column, table[3])
    return objects


@pytest.mark.parametrize("seed_min", [0.5, 3.0])
def test_clusters_are_those_of_loops_over_the_image(seed_min):
    objects = check(
        events_of([random_crystals(seed, 700) for seed in range(6)], z=4.0), ClusterConfig(seed_min=seed_min)
    )
    assert len(objects) > 20
    # Some reach over the ends of the columns, which stand next to one another.
    near_end = objects.columns["seed_column"]
    assert ((near_end < 8) | (near_end > 351)).any()


def test_of_equally_energetic_crystals_one_is_the_seed():
    """All of 300 crystals have one of three energies: seeds are those of the loops, and no two are in reach."""
    rng = np.random.default_rng(1)
    place = rng.choice(20 * 30, 300, replace=False)
    crystals = [
        (100 + p // 30, (345 + p % 30) % 360, float(e)) for p, e in zip(place, rng.integers(2, 5, 300), strict=True)
    ]
    objects = check(events_of([crystals, [*reversed(crystals)]]))
    row, column = objects.columns["seed_row"], objects.columns["seed_column"]
    half = len(objects) // 2
    np.testing.assert_array_equal(row[:half], row[half:])
    apart = np.abs((column[:half, None] - column[None, :half] + 180) % 360 - 180)
    close = (np.abs(row[:half, None] - row[None, :half]) <= 2) & (apart <= 8)
    assert close.sum() == half > 1
    pair = check(events_of([[(140, 359, 5.0), (140, 0, 5.0)], [(141, 10, 5.0), (140, 11, 5.0)]]))
    assert list(pair.columns["seed_column"]) == [359, 11]


def test_turning_an_event_turns_its_clusters():
    crystals = random_crystals(3, 700)
    turned = [(row, (column + 175) % 360, energy) for row, column, energy in crystals]
    one, other = (KIND.find(events_of([event], x=0.0, y=0.0), ClusterConfig()) for event in (crystals, turned))
    place = {(row, (column + 175) % 360): number for number, (row, column) in enumerate(places(one))}
    index = [place[seed] for seed in places(other)]
    for name in ("jet_pt", "jet_eta", "r9", "eta_width", "phi_width"):
        np.testing.assert_allclose(other.columns[name], one.columns[name][index], rtol=1e-6, atol=1e-6)


def test_events_without_clusters_give_none():
    quiet = [(140, 20, 0.9), (10, 10, 0.2)]
    objects = check(events_of([[], quiet, [(140, 20, -50.0)], [(150, 30, 40.0)], []]))
    assert list(objects.event) == [3]
    none = KIND.find(events_of([[], quiet]), ClusterConfig())
    assert len(none) == 0 and all(len(values) == 0 for values in none.columns.values())
    assert all(not passed.any() for passed in KIND.cuts(none, ClusterConfig()).values())


@pytest.mark.parametrize("z", [-15.0, 0.0, 8.0])
def test_eta_and_et_are_seen_from_the_primary_vertex(z):
    """A photon from the vertex that hits a crystal's middle is found in its direction."""
    (found,) = KIND.find(events_of([[(200, 90, 50.0)]], x=0.0, y=0.0, z=z), ClusterConfig()).columns["jet_eta"]
    height = 129.0 * math.sinh((200 - 139.5) * 0.0174) - z
    assert found == pytest.approx(math.asinh(height / 129.0), abs=1e-6)
    assert (abs(found - (200 - 139.5) * 0.0174) > 0.03) == (z != 0.0)


def test_clusters_at_the_ends_of_the_barrel_are_cut():
    """Rows 55 to 224 are the barrel's; ``edge_crystals`` of them lie between a seed and its end."""
    rows = [20, 54, FIRST, FIRST + 15, FIRST + 16, LAST - 16, LAST - 15, LAST, LAST + 1, 270]
    objects = KIND.find(events_of([[(row, 100, 900.0)] for row in rows]), ClusterConfig())
    for edge, kept in ((16, rows[4:6]), (15, rows[3:7]), (0, rows[2:8])):
        passed = KIND.cuts(objects, ClusterConfig(edge_crystals=edge))["barrel_edge"]
        assert list(objects.columns["seed_row"][passed]) == kept


def test_energy_and_direction_are_cut_on():
    objects = KIND.find(events_of([[(140 + 3 * i, 20 * i, 5.0 * i)] for i in range(1, 9)]), ClusterConfig())
    config = ClusterConfig(et_min=12.0, et_max=30.0, abs_eta_max=0.3)
    passed = KIND.cuts(objects, config)
    et, eta = objects.columns["jet_pt"], objects.columns["jet_eta"]
    np.testing.assert_array_equal(passed["et"], (et > 12) & (et < 30))
    np.testing.assert_array_equal(passed["eta"], np.abs(eta) < 0.3)
    assert 0 < passed["et"].sum() < 8 and 0 < passed["eta"].sum() < 8


def task(**changes) -> TaskConfig:
    content = {
        "name": "clusters",
        "description": "electrons and photons",
        "object": {"kind": "cluster"},
        "inputs": {"channels": ["ECAL"]},
        "objective": {"kind": "classification", "classes": ["photon", "electron"], "signal": "electron"},
    }
    return make_task({**content, **changes}, "clusters")


def test_the_usual_region_of_clusters_is_of_33_crystals_around_the_seed():
    assert task().region.centre == "crystal"
    region = task().network_inputs.region
    assert (region.rows, region.columns, region.centre) == (33, 33, "crystal")
    assert task(region={"half_window": 7}).network_inputs.region.rows == 15
    with pytest.raises(UsageError, match="objects of kind cluster have regions with centre crystal"):
        task(region={"centre": "tower"})


@pytest.mark.parametrize(
    ("setting", "key"),
    [({"seed_min": 0}, "seed_min"), ({"edge_crystals": 85}, "edge_crystals"), ({"pt_min": 3}, "pt_min")],
)
def test_settings_that_cannot_be_are_refused(setting, key):
    with pytest.raises(UsageError, match=key):
        task(object={"kind": "cluster", **setting})


def with_tracks(events, tracks):
    """The events with tracks (pT, η, φ at the crystals), a list for each."""
    columns = ([[track[i] for track in event] for event in tracks] for i in range(3))
    fields = {
        name: ak.values_astype(ak.Array(column), np.float32)
        for name, column in zip(("pt", "eta", "phi"), columns, strict=True)
    }
    return ak.with_field(events, ak.zip(fields), "tracks")


def test_isolation_sums_tracks_of_the_own_event_in_a_hollow_cone():
    rng = np.random.default_rng(3)
    crystals = [random_crystals(seed, 300) for seed in range(4)]
    centres = KIND.find(events_of(crystals), USUAL)
    tracks = []
    for event in range(4):
        mine = np.flatnonzero(centres.event == event)[:20]
        eta, phi = (ak.to_numpy(centres.columns[f"jet_{name}"])[mine].astype(float) for name in ("eta", "phi"))
        at = np.column_stack([rng.exponential(3, len(mine)), eta, phi]) + rng.normal(0, [0, 0.15, 0.15], (len(mine), 3))
        tracks.append([tuple(track) for track in at])
    config = ClusterConfig(isolation={"most": 0.2, "cone": 0.3, "veto": 0.05, "track_pt": 1.0})
    objects = KIND.find(with_tracks(events_of(crystals), tracks), config)
    passed = KIND.cuts(objects, config)["isolation"]
    for i, event in enumerate(objects.event.tolist()):
        around = [
            (pt, eta, phi) for pt, eta, phi in np.array(tracks[event], np.float32).astype(float).tolist() if pt > 1
        ]
        near = mean_place(crystals[event], *places(objects)[i])
        expected = sum(
            pt
            for pt, eta, phi in around
            if 0.05 < math.hypot(eta - near[0], math.remainder(phi - near[1], 2 * math.pi)) < 0.3
        )
        assert objects.columns["tracks_around"][i] == pytest.approx(expected, rel=1e-6)
        assert passed[i] == (expected <= 0.2 * objects.columns["jet_pt"][i])
    assert 10 < passed.sum() < len(passed) - 10


def mean_place(crystals, row, column):
    """η, φ of the energy-weighted mean position of the cluster at a seed, from the detector's centre."""
    total = rows = columns = 0.0
    for r, c, energy in crystals:
        i, j = r - row, (c - column + 180) % 360 - 180
        if energy > 0 and abs(i) <= 2 and abs(j) <= 8:
            total, rows, columns = total + energy, rows + i * energy, columns + j * energy
    return (row + rows / total - 139.5) * 0.0174, math.radians(column + columns / total - 10 + 0.5)


OTHERWISE = {
    "name": "x",
    "description": "x",
    "objective": {"kind": "classification", "classes": ["a", "b"], "signal": "b"},
}


def test_isolation_of_images_and_of_an_empty_ring_are_refused():
    config = ClusterConfig(isolation={})
    with pytest.raises(UsageError, match=r"object\.isolation reads the tracks of events"):
        KIND.cuts(KIND.find(events_of([[(140, 100, 20.0)]]), USUAL), config)
    content = {"object": {"kind": "cluster", "isolation": {"veto": 0.5}}}
    with pytest.raises(UsageError, match=r"veto 0\.5 leaves no tracks of cone 0\.3"):
        make_task({**OTHERWISE, **content}, "x")


@pytest.mark.parametrize(
    ("content", "message"),
    [
        ({"et_min": 50, "et_max": 20}, "et_max 20 is not above et_min 50"),
        ({"kind": "jet", "pt_min": 50, "pt_max": 20}, "pt_max 20 is not above pt_min 50"),
        (
            {"edge_crystals": -1},
            r"^x\.yaml: object: 'edge_crystals' is wrong \(.* equal to 0\); correct the value\.$",
        ),
        ({"edge": 1}, r"^x\.yaml: object: unknown key 'edge'; remove it or correct its spelling \(.*\)\.$"),
    ],
)
def test_a_wrong_value_of_the_object_is_named_once(content, message):
    with pytest.raises(UsageError, match=message):
        make_task({**OTHERWISE, "object": {"kind": "cluster", **content}}, "x.yaml")
