"""One batch of events through the whole detector: from particles to the columns that are stored."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
from numpy.typing import NDArray

from e2egraph.detector.channels import hit_channels
from e2egraph.detector.geometry import ECAL_COLUMNS, ECAL_ROWS, HCAL_COLUMNS, HCAL_ROWS, Booleans, Integers
from e2egraph.reconstruction.rulesconfig import RulesConfig
from e2egraph.simulation.antikt import fat_jets
from e2egraph.simulation.generation.candidates import Candidates, make_candidates
from e2egraph.simulation.generation.particles import Particles, helices
from e2egraph.simulation.generation.pileup import Collisions
from e2egraph.simulation.generation.truth import GenRecord
from e2egraph.simulation.jets import cluster, seed_towers
from e2egraph.simulation.missingmomentum import missing_pt
from e2egraph.simulation.particleflow.candidates import rule_candidates
from e2egraph.simulation.particleflow.collections import particle_flow_columns
from e2egraph.simulation.particleflow.links import link_cells
from e2egraph.simulation.particleflow.muonconfig import known_muons
from e2egraph.simulation.particleflow.muons import tag_muons
from e2egraph.simulation.particleflow.roots import find_roots
from e2egraph.simulation.response.calorimeter import Cells, read_out, time_cells
from e2egraph.simulation.response.images import fill
from e2egraph.simulation.response.material import Passage, interact
from e2egraph.simulation.response.response import DetectorConfig
from e2egraph.simulation.response.showers import Deposits, enter, shower
from e2egraph.simulation.response.trackerhits import Hits, make_hits
from e2egraph.simulation.response.tracking import Tracks, reconstruct, relative_to
from e2egraph.simulation.response.vertices import Vertices, reconstruct_vertices
from e2egraph.simulation.writer import OPTIONAL_TYPES, stored, vector_types

Columns = dict[str, NDArray]

# No two vertices are so far apart along the beam [cm].
ANY_HEIGHT = 1e9


def respond(
    particles: Particles,
    collisions: Collisions,
    record: GenRecord,
    detector: DetectorConfig,
    rng: np.random.Generator,
    muon_rng: np.random.Generator | None = None,
    *,
    particle_flow: bool = False,
    rules: RulesConfig | None = None,
) -> dict[str, Columns]:
    """What is stored of a batch: for each collection of ``RHTree`` its flat columns and their ``event`` index.

    ``particles`` are those of all ``collisions``; the columns have the types that are written. ``muon_rng``: random
    numbers of the muon system, which two options need: ``particle_flow``, with which what that is learnt from is
    stored too, and nothing else changes; and ``rules``, with which jets are made of the candidates that these find.
    """
    events, primaries = len(collisions.counts), len(particles)
    field, spot = detector.solenoid.field, detector.beam_spot
    passage = interact(particles, field, detector.material, rng)
    particles = passage.particles
    helix = helices(particles, field)

    reference = (spot.x, spot.y, spot.z)
    end_plane = detector.ecal.end_plane
    tracks = reconstruct(passage.whole, helix, end_plane, reference, detector.tracks, rng, passage.radiated)
    vertices = reconstruct_vertices(collisions, tracks, particles, detector.vertices, rng)
    first = vertices.primary
    tracks = relative_to(
        tracks,
        vertices.x[first] - spot.x,
        vertices.y[first] - spot.y,
        vertices.z[first] - spot.z,
        vertices.sigma_xy[first],
        vertices.sigma_z[first],
    )
    hits = make_hits(particles, helix, events, detector.hits, rng)

    entry = enter(particles, helix, end_plane, detector.tracks.max_turns)
    in_ecal, in_hcal = shower(particles, entry, detector.ecal, detector.hcal, rng)
    explained = _explained(tracks, passage.origin)
    crystals, towers = ECAL_ROWS * ECAL_COLUMNS, HCAL_ROWS * HCAL_COLUMNS
    ecal = read_out(in_ecal, particles, explained, crystals, events, detector.ecal.noise, detector.ecal.threshold, rng)
    hcal = read_out(in_hcal, particles, explained, towers, events, detector.hcal.noise, detector.hcal.threshold, rng)

    columns = {
        "Vtx": _vertex_columns(vertices),
        "track": _track_columns(tracks, particles),
        "hit": _hit_columns(hits, particles, vertices),
        "ecal": {**_cell_columns(ecal, ECAL_COLUMNS), "time": time_cells(ecal, detector.ecal, rng)},
        "hcal": _cell_columns(hcal, HCAL_COLUMNS),
        "gen": _gen_columns(record),
    }
    muon = np.zeros(len(tracks), bool)
    if muon_rng is not None:
        muon = tag_muons(tracks, passage.particles, known_muons(detector.muons), muon_rng)
    if particle_flow:
        read_outs = {"ecalLink": (in_ecal, ecal, crystals), "hcalLink": (in_hcal, hcal, towers)}
        for name, members in _particle_flow(passage, primaries, tracks, muon, read_outs, detector).items():
            columns[name] = columns.get(name, {}) | members
    result = {name: _stored(name, members) for name, members in columns.items()}

    def candidates(charged_dz: float) -> Candidates:
        if rules is not None:
            return rule_candidates(tracks, muon, ecal, hcal, vertices, replace(rules, charged_dz=charged_dz), field)
        return make_candidates(tracks, ecal, hcal, vertices, replace(detector.candidates, charged_dz=charged_dz))

    jets = cluster(candidates(detector.candidates.charged_dz), events, detector.jets)
    tower = result["hcal"]
    energy = fill(events, tower["event"], tower["ieta"], tower["iphi"], (HCAL_ROWS, HCAL_COLUMNS), tower["energy"])
    seed_ieta, seed_iphi = seed_towers(jets.event, jets.eta, jets.phi, energy)
    result["jet"] = _stored(
        "jet",
        {
            "event": jets.event,
            "Pt": jets.pt,
            "Eta": jets.eta,
            "Phi": jets.phi,
            "M": jets.mass,
            "SoftDropM": jets.softdrop_mass,
            **{f"Tau{number + 1}": tau for number, tau in enumerate(jets.tau)},
            "Seed_ieta": seed_ieta,
            "Seed_iphi": seed_iphi,
        },
    )
    if detector.fat_jets is not None:
        fat = fat_jets(jets, events, detector.fat_jets)
        members = {"event": fat.event, "Pt": fat.pt, "Eta": fat.eta, "Phi": fat.phi, "M": fat.mass}
        result["fatjet"] = _stored("fatjet", members)
    if detector.met:
        missing = missing_pt(candidates(ANY_HEIGHT), events)
        result["event"] = {"event": np.arange(events), "met": stored(missing, "float32")}
    return result


def _particle_flow(
    passage: Passage,
    primaries: int,
    tracks: Tracks,
    muon: Booleans,
    read_outs: dict[str, tuple[Deposits, Cells, int]],
    detector: DetectorConfig,
) -> dict[str, Columns]:
    """What the option ``particle_flow`` adds; ``read_outs``: of each calorimeter deposits, cells and size."""
    root = find_roots(passage.origin)
    links = {
        name: (link_cells(deposits, root, cells, size), cells.event)
        for name, (deposits, cells, size) in read_outs.items()
    }
    begun = passage.particles.take(np.arange(primaries))
    return particle_flow_columns(begun, root, tracks, muon, links, detector.tracks)


def _explained(tracks: Tracks, origin: Integers) -> Booleans:
    """Which particles' energy a track stands for: those with a track, and all that come from such in the material."""
    found = np.zeros(len(origin), dtype=bool)
    found[tracks.particle[tracks.particle >= 0]] = True
    while True:
        further = found | found[origin]
        if np.array_equal(further, found):
            return found
        found = further


def _vertex_columns(vertices: Vertices) -> Columns:
    event = np.repeat(np.arange(len(vertices.counts)), vertices.counts)
    return {"event": event, "x": vertices.x, "y": vertices.y, "z": vertices.z}


def _track_columns(tracks: Tracks, particles: Particles) -> Columns:
    return {
        "event": tracks.event,
        "pt": tracks.pt,
        "eta": tracks.eta,
        "phi": tracks.phi,
        "d0": tracks.d0,
        "dz": tracks.dz,
        "d0Err": tracks.d0_err,
        "dzErr": tracks.dz_err,
        "charge": tracks.charge,
        "genIndex": _links(tracks.particle, particles),
    }


def _hit_columns(hits: Hits, particles: Particles, vertices: Vertices) -> Columns:
    primary = vertices.primary[hits.event]
    layers = {channel: channel.cms for channel in hit_channels() if channel.cms is not None}
    detectors = np.zeros(max(layers) + 1, dtype=np.int32)
    numbers = np.zeros_like(detectors)
    for channel, (detector, number) in layers.items():
        detectors[channel], numbers[channel] = detector, number
    return {
        "event": hits.event,
        "global_x": hits.x - vertices.x[primary],
        "global_y": hits.y - vertices.y[primary],
        "global_z": hits.z - vertices.z[primary],
        "sub_det": detectors[hits.channel],
        "layer": numbers[hits.channel],
        "genIndex": _links(hits.particle, particles),
    }


def _cell_columns(cells: Cells, columns: int) -> Columns:
    return {
        "event": cells.event,
        "ieta": cells.cell // columns,
        "iphi": cells.cell % columns,
        "energy": cells.energy,
        "genIndex": cells.gen,
    }


def _gen_columns(record: GenRecord) -> Columns:
    return {
        "event": np.repeat(np.arange(len(record.counts)), record.counts),
        "pdgId": record.pdg,
        "pt": record.pt,
        "eta": record.eta,
        "phi": record.phi,
        "m": record.mass,
        "mother": record.mother,
        "status": record.status,
    }


def _links(particle: Integers, particles: Particles) -> Integers:
    """Stored generator particle of each object's true particle; −1 for pile-up, noise and fakes."""
    # The appended −1 is what a particle index of −1 picks.
    return np.append(particles.gen, -1)[particle]


def _stored(collection: str, columns: Columns) -> Columns:
    types = vector_types(list(OPTIONAL_TYPES))[collection]
    return {
        "event": columns["event"],
        **{name: stored(columns[name], kind) for name, kind in types.items() if name in columns},
    }
