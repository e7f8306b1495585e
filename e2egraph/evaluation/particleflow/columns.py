"""The columns of a comparison: particles of the same events by rules, by truth, by perfect association, by networks."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from e2egraph.data.candidates import read_candidates
from e2egraph.detector.channels import Channel
from e2egraph.detector.geometry import Booleans, Floats, Integers
from e2egraph.errors import InputError, UsageError
from e2egraph.graphs.particleflow.classes import CHARGED_HADRON, ELECTRON, MUON
from e2egraph.graphs.particleflow.record import is_visible
from e2egraph.graphs.storage.columns import SIDE_TYPES, SPLITS
from e2egraph.graphs.storage.manifest import read_manifest
from e2egraph.graphs.storage.pointclouds import PointClouds, concatenate
from e2egraph.graphs.storage.shards import open_shard
from e2egraph.reconstruction.particles import ParticleColumns
from e2egraph.reconstruction.puppi import puppi_weights
from e2egraph.tasks.objectives.nodes import CLASSES

RULES, PUPPI, TARGET, PERFECT = "rules", "rules with PUPPI", "target", "perfect association"
OWN = (RULES, PUPPI, TARGET, PERFECT)

# From this share of pile-up on an element's particle is pile-up.
PILE_UP = 0.5


@dataclass(frozen=True)
class Particles(ParticleColumns):
    """Particles of a comparison. ``pile_up``: probability or decision that it is one of pile-up; ``kept``: share of its
    momentum that is taken for the hard collision's, of soft decoding and of PUPPI one minus that, else 0 or 1.
    ``node`` of its event that it comes from, −1 where it comes from none. ``probability`` that it is a particle at all,
    NaN where nothing says so; ``share`` of pT and energy that is counted: of soft decoding that probability, else 1."""

    pile_up: Floats
    kept: Floats
    node: Integers
    probability: Floats
    share: Floats

    @property
    def hard(self) -> Particles:
        """What is taken for the hard collision's: particles that are kept, with the share of momentum that is."""
        some = self.take(self.kept > 0)
        whole = np.ones(len(some))
        pt, energy, share = (each * some.kept for each in (some.pt, some.energy, some.share))
        return replace(some, pt=pt, energy=energy, share=share, kept=whole)


@dataclass(frozen=True)
class FlowEvents:
    """E events of a data set: ``columns`` name → its particles; ``gen``: the final state of the hard collision that a
    detector can see; ``neutrinos``; ``true``: the visible particles of all collisions; ``clouds``: elements; ``seeds``:
    name of a network that was trained several times → its columns."""

    columns: dict[str, Particles]
    gen: Particles
    neutrinos: Particles
    true: Particles
    clouds: PointClouds
    seeds: Mapping[str, tuple[str, ...]] = field(default_factory=dict)

    @property
    def size(self) -> int:
        return len(self.clouds)

    @property
    def names(self) -> tuple[str, ...]:
        """The columns in order, a network's seeds as one."""
        group = {column: name for name, members in self.seeds.items() for column in members}
        return tuple(dict.fromkeys(group.get(column, column) for column in self.columns))


def read_events(
    data: Path, split: str | None = None, candidates: Mapping[str, Sequence[Path]] | None = None
) -> FlowEvents:
    """The events of a data set of particle flow (of one ``split``), with a column for each file of ``candidates``:
    name of a network → its files, of several seeds where there are several.

    InputError: no such data set, or none of particle flow; candidates that do not fit it, or that one seed found twice.
    UsageError: unknown split.
    """
    if split is not None and split not in SPLITS:
        raise UsageError(f"unknown split '{split}'; choose one of {', '.join(SPLITS)}, or all.")
    manifest = read_manifest(data)
    if not manifest.configuration.get("elements"):
        raise InputError(f"{data}: task '{manifest.task}' has no elements; give a data set of a particle-flow task.")
    wanted = [
        "run", "event", "split", "n_pv", "n_nodes", "deta", "dphi", "deta0", "dphi0", "channel", "node_class",
        "node_target_pt", "node_target_eta", "node_target_phi", "node_target_energy", "node_target_pileup",
        "node_particle", *SIDE_TYPES,
    ]  # fmt: skip
    parts = []
    for shard in manifest.shards:
        with open_shard(data / shard.name) as file:
            parts.append(file.read(wanted))
    clouds = concatenate(parts)
    elements = clouds.counts
    chosen = np.ones(len(clouds), bool) if split is None else clouds.jets["split"] == split
    if not chosen.any():
        raise InputError(f"{data}: no event in split '{split}'; choose another one.")
    row = np.flatnonzero(chosen)
    clouds = clouds.take(row)
    rules = _side(clouds, "pf")
    with_puppi = {PUPPI: _puppi(rules, clouds)} if (rules.pile_up >= PILE_UP).any() else {}
    own = {RULES: rules, **with_puppi, TARGET: _targets(clouds), PERFECT: _side(clouds, "perfect")}
    seeds = {}
    for name, paths in (candidates or {}).items():
        if name in own or name in OWN:
            raise UsageError(f"--candidates {name}: there is a column of that name already; choose another.")
        columns = [name] if len(paths) == 1 else [f"{name}, seed {number + 1}" for number in range(len(paths))]
        for column, path in zip(columns, paths, strict=True):
            own[column] = found_by_network(path, row, elements, manifest.digest, split)
        if len(paths) > 1:
            _check_seeds(name, paths, [own[column] for column in columns])
            seeds[name] = tuple(columns)
    gen = _side(clouds, "gen")
    visible = is_visible(clouds.side["gen_pdg"].values)
    true = _side(clouds, "sim")
    return FlowEvents(own, gen.take(visible), gen.take(~visible), true, clouds, seeds)


def _check_seeds(name: str, paths: Sequence[Path], found: Sequence[Particles]) -> None:
    """InputError where two of a network's ``paths`` hold the same particles, as two seeds never do, or some are decoded
    soft and others hard."""
    if len({bool((one.share < 1.0).any()) for one in found}) > 1:
        raise InputError(
            f"--candidates {name}: some of its files are decoded soft and others hard; predict all its seeds alike."
        )
    for last, one in enumerate(found):
        for before, other in enumerate(found[:last]):
            if np.array_equal(one.pt, other.pt) and np.array_equal(one.event, other.event):
                raise InputError(
                    f"--candidates {name}: {paths[before]} and {paths[last]} hold the same particles; give each seed's "
                    "file once."
                )


def found_by_network(path: Path, rows: Integers, elements: Integers, data_sha256: str, split: str | None) -> Particles:
    """The particles in a file of candidates, of the events at ``rows`` [E] of the data set.

    ``elements``: number of elements of every event of the data set. InputError: unreadable, of other classes, found in
    another data set than that of ``data_sha256`` or in another split than ``split``, of an element or event that the
    data set does not have, or without any candidate of these events.
    """
    candidates = read_candidates(path)
    if candidates.classes != CLASSES:
        raise InputError(f"{path}: candidates of classes {', '.join(candidates.classes)}, not {', '.join(CLASSES)}.")
    if candidates.about.get("data_sha256") != data_sha256:
        raise InputError(f"{path}: candidates of another data set than the one compared; predict this one.")
    if (alone := candidates.about.get("split")) not in (None, split):
        raise InputError(
            f"{path}: candidates of split '{alone}' alone, not of {split or 'all'}; predict all events (no --split), "
            "or compare that one, without --calibrate."
        )
    columns = candidates.columns
    row, node = columns["row"], columns["node"]
    strange = np.flatnonzero((row >= len(elements)) | (node >= elements[np.minimum(row, len(elements) - 1)]))
    if len(strange):
        at = strange[0]
        raise InputError(
            f"{path}: {len(strange)} candidates are of events or elements that the data set does not have, first of "
            f"element {node[at]} in event {row[at]}; predict it again."
        )
    place = np.full(len(elements), -1)
    place[rows] = np.arange(len(rows))
    event = place[row]
    if not (event >= 0).any():
        raise InputError(
            f"{path}: holds no candidate of the {len(rows)} events that are compared; choose another split, or train "
            "the model further."
        )
    probability = columns["probability"].astype(np.float64)
    pile_up = columns["pileup"].astype(np.float64)
    soft = candidates.about.get("decoding") == "soft"
    found = Particles(
        event=event,
        kind=columns["class"],
        pile_up=pile_up,
        kept=1.0 - pile_up if soft else not_pile_up(pile_up),
        node=node.astype(np.int64),
        probability=probability,
        share=probability if soft else np.ones(len(event)),
        **_momenta(columns),
    )
    found = found.take(event >= 0)
    return found.take(np.argsort(found.event, kind="stable"))


def not_pile_up(pile_up: Floats) -> Floats:
    """1 of particles that are not taken for pile-up, 0 of those that are."""
    return (pile_up < PILE_UP).astype(np.float64)


def certain(size: int) -> dict[str, Floats]:
    """``probability`` and ``share`` of particles that nobody gave a probability."""
    return {"probability": np.full(size, np.nan), "share": np.ones(size)}


def _momenta(columns: Mapping[str, NDArray], prefix: str = "") -> dict[str, Floats]:
    return {name: columns[prefix + name].astype(np.float64) for name in ("pt", "eta", "phi", "energy")}


def _side(clouds: PointClouds, prefix: str) -> Particles:
    side = clouds.side
    values = {name: lists.values for name, lists in side.items()}
    lists = side[f"{prefix}_pt"]
    size = len(lists.values)
    kind = side[f"{prefix}_class"].values if f"{prefix}_class" in side else np.zeros(size, np.uint8)
    pile_up = np.zeros(size)
    if f"{prefix}_pileup" in side:
        pile_up = side[f"{prefix}_pileup"].values.astype(np.float64)
    elif f"{prefix}_collision" in side:
        pile_up = (side[f"{prefix}_collision"].values > 0).astype(np.float64)
    node = side[f"{prefix}_element"].values if f"{prefix}_element" in side else np.full(size, -1)
    return Particles(
        event=lists.owner,
        kind=kind,
        pile_up=pile_up,
        kept=not_pile_up(pile_up),
        node=node.astype(np.int64),
        **certain(size),
        **_momenta(values, f"{prefix}_"),
    )


def _puppi(rules: Particles, clouds: PointClouds) -> Particles:
    """The rules' particles, where those without a track count as much as PUPPI says."""
    charged = np.isin(rules.kind, (CHARGED_HADRON, ELECTRON, MUON))
    vertices = clouds.jets["n_pv"].astype(np.int64)
    weight = puppi_weights(rules, charged, rules.pile_up >= PILE_UP, vertices)
    return replace(rules, pile_up=1.0 - weight, kept=weight)


def _targets(clouds: PointClouds) -> Particles:
    nodes = clouds.nodes
    there = np.flatnonzero(nodes["node_class"] > 0)
    event = clouds.jet_of_node[there]
    columns = {name: values[there] for name, values in nodes.items() if name.startswith("node_")}
    pile_up = columns["node_target_pileup"].astype(np.float64)
    return Particles(
        event=event,
        kind=columns["node_class"],
        pile_up=pile_up,
        kept=not_pile_up(pile_up),
        node=there - clouds.offsets[:-1][event],
        **certain(len(there)),
        **_momenta(columns, "node_target_"),
    )


def from_primary_vertex(particles: Particles, clouds: PointClouds) -> Particles:
    """Particles of ``clouds``' nodes in the direction in which their node is seen from the primary vertex, which a
    particle of another vertex without a track seems to have."""
    node = clouds.offsets[:-1][particles.event] + particles.node
    eta, phi = (clouds.nodes[name][node] + clouds.nodes[f"{name}0"][node] for name in ("deta", "dphi"))
    return replace(particles, eta=eta.astype(np.float64), phi=phi.astype(np.float64))


def track_nodes(clouds: PointClouds) -> Booleans:
    """Which nodes are tracks."""
    return np.asarray(clouds.nodes["channel"] == int(Channel.TRACK))
