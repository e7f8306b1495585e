"""Data sets of particle flow, out of simulated events: nodes, targets, energies, side columns, bad input."""

import hashlib

import numpy as np
import pytest

from e2egraph.cli import main
from e2egraph.detector.channels import Channel
from e2egraph.errors import InputError
from e2egraph.events.samples import Sample
from e2egraph.events.sources.rhtree import RHTreeFile
from e2egraph.graphs.building.build import build
from e2egraph.graphs.inspecting.inspection import describe, inspect_data_set
from e2egraph.graphs.storage.columns import SIDE_TYPES
from e2egraph.graphs.storage.manifest import read_manifest
from e2egraph.graphs.storage.pointclouds import concatenate
from e2egraph.graphs.storage.shards import open_shard
from e2egraph.simulation.simulate import simulate
from e2egraph.tasks.task import load_task, make_task
from tests.particleflow_events import EVENTS, FEW, build_flow


def clouds_of(folder):
    parts = []
    for shard in read_manifest(folder).shards:
        with open_shard(folder / shard.name) as file:
            parts.append(file.read())
    return concatenate(parts)


@pytest.fixture(scope="module")
def clouds(flow_data):
    return clouds_of(flow_data)


def test_events_are_rows_with_targets_of_their_nodes_and_side_columns(clouds):
    assert len(clouds) == EVENTS and set(clouds.side) == set(SIDE_TYPES)
    nodes = clouds.nodes
    there = nodes["node_class"] > 0
    assert 0.3 < there.mean() < 0.9
    for name in ("pt", "eta", "phi", "energy", "pileup"):
        assert (nodes[f"node_target_{name}"][~there] == 0).all()
    assert (nodes["node_particle"] >= 0).tolist() == there.tolist()
    # Tracks are charged, and most of them what they are measured to be.
    track = (nodes["channel"] == int(Channel.TRACK)) & there
    assert np.isin(nodes["node_class"][track], [1, 4, 5]).all()
    assert np.median(np.abs(nodes["node_target_pt"][track] / nodes["value"][track] - 1)) < 0.03
    # All but what was made in the tracker's material.
    turned = np.abs(nodes["node_target_eta"] - nodes["deta"] - nodes["deta0"])
    assert np.mean(turned[track] < 0.02) > 0.9
    apart = np.mod(nodes["node_target_phi"] - nodes["dphi"] - nodes["dphi0"] + np.pi, 2 * np.pi) - np.pi
    assert np.median(np.abs(apart[track])) < 0.003
    photon = (nodes["channel"] == int(Channel.ECAL)) & (nodes["node_class"] == 3)
    assert np.median(np.abs(apart[photon])) < 0.01
    # Directions of cells are those from the primary vertex, which photons of other collisions do not come from.
    assert np.median(turned[photon & (nodes["node_target_pileup"] == 0)]) < 0.01
    assert set(np.unique(nodes["node_class"])) <= set(range(6))
    assert 0.2 < nodes["node_target_pileup"][there].mean() < 0.95


def test_particles_and_nodes_know_one_another(clouds):
    side, nodes = clouds.side, clouds.nodes
    element, first = side["sim_element"].values, clouds.offsets[:-1]
    went = np.flatnonzero(element >= 0)
    node = first[side["sim_element"].owner[went]] + element[went]
    assert (nodes["node_class"][node] > 0).all()
    # Each node's own particle went to it, or was split and has its largest part elsewhere.
    there = np.flatnonzero(nodes["node_class"] > 0)
    particle = side["sim_element"].offsets[:-1][clouds.jet_of_node[there]] + nodes["node_particle"][there]
    back = first[clouds.jet_of_node[there]] + element[particle]
    assert (element[particle] >= 0).all() and np.mean(back == there) > 0.95
    hard = side["sim_collision"].values == 0
    assert 0 < hard.mean() < 1
    single = np.bincount(node, minlength=len(nodes["deta"]))
    alone = went[(single[node] == 1) & (back_of(nodes, clouds, went, node))]
    at = first[side["sim_element"].owner[alone]] + element[alone]
    np.testing.assert_allclose(side["sim_energy"].values[alone], nodes["node_target_energy"][at], rtol=1e-5)


def back_of(nodes, clouds, went, node):
    """Particles whose node has all of their energy: not split among tracks."""
    times = np.bincount(
        clouds.side["sim_element"].offsets[:-1][clouds.jet_of_node] + np.maximum(nodes["node_particle"], 0),
        nodes["node_particle"] >= 0,
        len(clouds.side["sim_element"].values),
    )
    return times[went] == 1


def test_all_energy_of_true_particles_is_in_targets_or_said_to_be_invisible(flow_data, clouds):
    (books,) = read_manifest(flow_data).particles.values()
    total = clouds.side["sim_energy"].values.astype(np.float64)
    assert books["particles"] == len(total)
    assert books["particles_gev"] == pytest.approx(total.sum(), rel=1e-6)
    went = clouds.side["sim_element"].values >= 0
    assert books["visible"] == went.sum()
    # Two-sided: neither lost nor counted twice, in all and in each event.
    targets = np.bincount(clouds.jet_of_node, clouds.nodes["node_target_energy"], len(clouds))
    visible = np.bincount(clouds.side["sim_energy"].owner[went], total[went], len(clouds))
    np.testing.assert_allclose(targets, visible, rtol=1e-5)
    assert books["visible_gev"] == pytest.approx(targets.sum(), rel=1e-5)
    assert books["visible_gev"] + books["invisible_gev"] == pytest.approx(books["particles_gev"], rel=1e-9)
    assert 0.85 < books["visible_gev"] / books["particles_gev"] < 1.0
    assert 0 < books["merged_gev"] < 0.2 * books["visible_gev"]


def test_generated_particles_balance_and_neutrinos_are_among_them(clouds):
    side = clouds.side
    pt, phi = side["gen_pt"].values.astype(np.float64), side["gen_phi"].values
    neutrino = np.isin(np.abs(side["gen_pdg"].values), [12, 14, 16])
    assert neutrino.any() and (np.abs(side["gen_pdg"].values) != 15).all()
    # What is softer than 0.2 GeV or further than |η| = 3 is not stored.
    balance = np.bincount(side["gen_pt"].owner, pt * np.cos(phi), len(clouds))
    assert np.median(np.abs(balance)) < 25


def test_rules_find_most_of_the_energy_and_perfect_association_all_tracks(clouds):
    side = clouds.side
    central = np.abs(side["gen_eta"].values) < 1.5
    visible = central & ~np.isin(np.abs(side["gen_pdg"].values), [12, 14, 16])
    true = side["gen_pt"].values[visible].sum()
    for prefix in ("pf", "perfect"):
        inside = (np.abs(side[f"{prefix}_eta"].values) < 1.5) & (side[f"{prefix}_pileup"].values == 0)
        # Neutral particles of four collisions more are in it.
        assert 0.85 < side[f"{prefix}_pt"].values[inside].sum() / true < 1.8
        assert (side[f"{prefix}_energy"].values >= 0.999 * side[f"{prefix}_pt"].values).all()
    element = side["pf_element"]
    track = (side["pf_class"].values == 1) & (element.values >= 0)
    node = clouds.offsets[:-1][element.owner[track]] + element.values[track]
    assert (clouds.nodes["channel"][node] == int(Channel.TRACK)).all() and track.sum() > 100
    np.testing.assert_allclose(side["pf_pt"].values[track], clouds.nodes["value"][node], rtol=1e-5)
    particle = side["perfect_particle"]
    sizes = side["sim_pt"].counts[particle.owner]
    assert ((particle.values >= 0) & (particle.values < sizes)).all()


def test_perfect_association_has_every_track_once_and_what_particles_lose_in_the_material(clouds):
    side = clouds.side
    of = side["sim_pt"].offsets[:-1][side["perfect_particle"].owner] + side["perfect_particle"].values
    charged = np.isin(side["perfect_class"].values, (1, 4, 5))
    tracks = clouds.nodes["value"][clouds.nodes["channel"] == int(Channel.TRACK)]
    found = side["perfect_pt"].values[charged]
    assert len(np.unique(found)) == len(found) > 0.97 * len(tracks)
    # No elements are tracks that meet the calorimeter beyond |η| = 2.5, and those that curl past it: pT < 0.3·B·R/2.
    meets = (found > 1.03 * 0.3 * 3.8 * 1.29 / 2) & (np.abs(side["perfect_eta"].values[charged]) < 2.4)
    assert np.isin(found[meets], tracks).mean() > 0.995 and meets.sum() > 500  # some begin far out, or off their η
    energy, true = side["perfect_energy"].values.astype(np.float64), side["sim_energy"].values.astype(np.float64)
    both = np.bincount(of, energy, len(true))
    central = np.abs(side["sim_eta"].values) < 1.4
    assert both[central].sum() == pytest.approx(true[central].sum(), rel=0.05)
    tracked = (np.bincount(of[charged], minlength=len(true)) > 0) & central
    for kind, name in ((1, "charged hadrons"), (3, "photons that converted")):
        mine = tracked & (side["sim_class"].values == kind)
        assert mine.sum() > 5
        assert both[mine].sum() == pytest.approx(true[mine].sum(), rel=0.12), name


def test_one_process_and_two_write_the_same_bytes(flow_file, flow_data, tmp_path):
    other = build_flow(flow_file, tmp_path / "again", workers=2)
    for name in ("part-00000.parquet", "manifest.json"):
        one, two = (hashlib.sha256((folder / name).read_bytes()).hexdigest() for folder in (flow_data, other))
        assert one == two


def test_elements_beyond_the_cap_are_counted_and_their_energy_is_not_lost(flow_file, flow_data, tmp_path, capsys):
    capped = read_manifest(build_flow(flow_file, tmp_path / "capped", settings=["inputs.cap=40"]))
    (nodes,), (books,) = capped.nodes.values(), capped.particles.values()
    assert nodes["over_cap"] == nodes["in_windows"] - nodes["kept"] > 0 and nodes["kept"] == 40 * EVENTS
    assert books["visible_gev"] + books["invisible_gev"] == pytest.approx(books["particles_gev"], rel=1e-9)
    (whole,) = read_manifest(flow_data).particles.values()
    assert books["particles_gev"] == pytest.approx(whole["particles_gev"], rel=1e-12)
    assert books["visible_gev"] < whole["visible_gev"]
    said = describe(inspect_data_set(tmp_path / "capped"))
    share = 100 * books["visible_gev"] / books["particles_gev"]
    assert f"true particles {books['particles']:.0f}: {books['visible']:.0f} have an element ({share:.1f}% of" in said
    words = ["build-graphs", "--task", "particle-flow", "--sample", f"event={flow_file}", "--set", "inputs.cap=40"]
    assert main([*words, "--output", str(tmp_path / "capped")]) == 0
    lines = capsys.readouterr().out.splitlines()
    assert (
        f"event: {nodes['over_cap']} of {nodes['in_windows']} nodes are over the caps of inputs and left out" in lines
    )
    assert said.split("true particles ")[1].splitlines()[0] in "\n".join(lines)
    assert lines[-1].startswith("found complete") and "--recipe particle-flow" in lines[-1]


def test_events_without_elements_are_rows_without_nodes(flow_file, tmp_path):
    thresholds = [f"inputs.thresholds.{name}=100000" for name in ("TRACK", "ECAL", "HCAL")]
    empty = clouds_of(build_flow(flow_file, tmp_path / "empty", settings=thresholds))
    assert len(empty) == EVENTS and empty.offsets[-1] == 0
    assert (empty.side["sim_element"].values == -1).all() and len(empty.side["pf_pt"].values) > 0


def test_cells_as_elements_merge_fewer_particles(flow_file, flow_data, tmp_path):
    cells = build_flow(flow_file, tmp_path / "cells", "particle-flow-cells")
    (books,), (whole,) = read_manifest(cells).particles.values(), read_manifest(flow_data).particles.values()
    assert books["merged"] < whole["merged"]
    assert books["visible_gev"] + books["invisible_gev"] == pytest.approx(books["particles_gev"], rel=1e-9)
    clouds = clouds_of(cells)
    # Nodes are the file's own crystals and towers, in the region.
    record = RHTreeFile(flow_file).read(0, EVENTS, ["ecal"])
    inside = np.abs((np.concatenate([np.asarray(row.ieta) for row in record.ecal]) - 139.5) * 0.0174) < 2.5
    assert (clouds.nodes["channel"] == int(Channel.ECAL)).sum() == inside.sum()
    # The rules work on clusters all the same.
    np.testing.assert_array_equal(clouds.side["pf_pt"].values, clouds_of(flow_data).side["pf_pt"].values)


def test_a_file_without_links_is_refused_in_one_sentence(tmp_path, capsys):
    path = tmp_path / "plain.root"
    simulate("ttbar_inclusive", 2, 1, path, images=False, settings=[*FEW, "process.pile_up.mean=0"])
    arguments = [
        "build-graphs",
        "--task",
        "particle-flow",
        "--sample",
        f"event={path}",
        "--output",
        str(tmp_path / "d"),
    ]
    assert main(arguments) == 1
    message = capsys.readouterr().err.strip()
    assert "no branch for track_details (looked for track_eta0," in message
    assert message.endswith("give a file that has it, made by simulate --particle-flow.") and message.count("\n") == 0


def test_tasks_that_do_not_go_together_are_refused(flow_file, tmp_path):
    whole = {
        "name": "x", "description": "", "object": {"kind": "event"}, "region": {"centre": "none", "abs_eta_max": 2.5},
        "inputs": {"channels": ["TRACK"], "variables": ["value"], "object": []}, "truth": {"source": "sample_name"},
    }  # fmt: skip
    sample = [Sample("event", "event", (flow_file,))]
    with pytest.raises(InputError, match="objective nodes learns what elements are; add the group elements"):
        build(make_task({**whole, "objective": {"kind": "nodes"}}, "x"), sample, tmp_path / "a")
    classes = {"kind": "classification", "classes": ["event", "b"], "signal": "event"}
    with pytest.raises(InputError, match="elements are there to be learnt"):
        build(make_task({**whole, "objective": classes, "elements": {}}, "x"), sample, tmp_path / "b")
    with pytest.raises(Exception, match=r"inputs\.variables size are of elements; add the group elements"):
        inputs = {**whole["inputs"], "variables": ["value", "size"]}
        make_task({**whole, "inputs": inputs, "objective": classes}, "x")
    with pytest.raises(Exception, match="elements are of whole events"):
        make_task({**whole, "object": {"kind": "jet"}, "region": {}, "objective": classes, "elements": {}}, "x")
    with pytest.raises(InputError, match="variable energy_t is none that elements have"):
        build(load_task("particle-flow", ["inputs.variables=[value,energy_t]"]), sample, tmp_path / "c")


def test_leptons_of_top_decays_are_in_the_final_state_once(clouds):
    side = clouds.side
    lepton = np.isin(np.abs(side["gen_pdg"].values), [11, 13]) & (np.abs(side["gen_eta"].values) < 2)
    lepton &= side["gen_pt"].values > 15
    found = lepton.nonzero()[0]
    assert len(found) >= 4
    owner = side["gen_pt"].owner
    electron_or_muon = np.isin(side["sim_class"].values, [4, 5]) & (side["sim_collision"].values == 0)
    for number in found:
        others = [other for other in found if other != number and owner[other] == owner[number]]
        for other in others:
            apart = abs(side["gen_eta"].values[other] - side["gen_eta"].values[number])
            assert apart > 1e-4, "one lepton twice"
        same = electron_or_muon & (side["sim_pt"].owner == owner[number])
        assert np.abs(side["sim_pt"].values[same] / side["gen_pt"].values[number] - 1).min() < 1e-3


def test_events_that_a_cut_removes_change_nothing_of_the_others(flow_file, clouds, tmp_path):
    some = clouds_of(build_flow(flow_file, tmp_path / "cut", settings=["object.jets_min=1"]))
    assert 0 < len(some) < EVENTS
    whole = clouds.take(np.isin(clouds.jets["event"], some.jets["event"]))
    for name, values in whole.nodes.items():
        np.testing.assert_array_equal(some.nodes[name], values, name)
    for name, lists in whole.side.items():
        np.testing.assert_array_equal(some.side[name].values, lists.values, name)
        np.testing.assert_array_equal(some.side[name].offsets, lists.offsets, name)
