"""Links of hits against the particles that left the hits: triplets against longer chains, one choice against several.

    python scripts/link_truth.py top.root --output link_truth.json \
        --layers BPIX1,BPIX2,BPIX3 --layers BPIX1,BPIX2,BPIX3,TIB1,TIB2,TOB1,TOB2 [--choices 1,3]

FILE: of `e2egraph simulate`, whose hits name their particle of the hard collision (`hit_genIndex`). Hits are those of
the hardest jet's region (62 crystals on either side of its axis), of each layer the 256 nearest to it, as networks link
them. A link is true when all of its hits are of one particle, wrong when they are not, and not counted when all
are of pile-up or noise, which the file does not tell apart. Efficiency: of charged particles above 1 GeV with a hit in
each of the first three layers, those with a true link. Purity: of links above 1 GeV, true ones among true and wrong. pT
is compared with the particle's. Parametric simulation, not CMS simulation.
"""

from __future__ import annotations

import argparse
import shlex
import sys
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise
from pathlib import Path

import awkward as ak
import numpy as np
import torch
from numpy.typing import NDArray

from e2egraph.benchmark.report import Record, write_report
from e2egraph.config import validate
from e2egraph.detector.channels import Channel, channels
from e2egraph.detector.geometry import ETA_PITCH, SOLENOID_FIELD, delta_phi
from e2egraph.detector.helix import GEV_PER_TESLA_CM
from e2egraph.errors import InputError, UsageError
from e2egraph.events.locations import damage_named
from e2egraph.events.sources.rhtree_branches import TREES
from e2egraph.events.sources.roottree import find_tree
from e2egraph.files import check_file
from e2egraph.models.tokens.link_tokens import LEAST_BEND, LinkGroup
from e2egraph.models.tokens.links import LayerHits, find_links
from e2egraph.utf8 import use_utf8

Floats = NDArray[np.float64]
Integers = NDArray[np.int64]

HITS = ("global_x", "global_y", "global_z", "sub_det", "layer", "genIndex")
GEN = ("pdgId", "pt", "status")
# Of the region of the shipped task `top`, and its jets.
HALF_REGION, AXIS_ETA = 62.5 * ETA_PITCH, 1.37
JETS_AT_ONCE, MOST_HITS = 32, 256
LEAST_PT = 1.0  # [GeV]
PT_EDGES = (1.0, 2.0, 3.0, 5.0, 10.0, 20.0, 50.0, 100.0, 500.0)
# Stable charged particles that reach the tracker.
CHARGED = (11, 13, 211, 321, 2212)


@dataclass(frozen=True)
class JetHits:
    """Hits of J jets, one layer: ``points`` [J, 2, H] (Δη, Δφ), ``found`` [J, H], ``particle`` [J, H] (−1: none)."""

    points: Floats
    found: NDArray[np.bool_]
    particle: Integers


@dataclass(frozen=True)
class Compared:
    """``pt`` [P] of the particles that should be found and whether they are; of L links that count: ``link_pt``,
    whether ``true``, of how many ``hits``, how many others share their first hit, and the pT of their particle (NaN of
    wrong ones). ``of_others`` [J]: links of pile-up or noise in each jet."""

    pt: Floats
    found: NDArray[np.bool_]
    link_pt: Floats
    true: NDArray[np.bool_]
    hits: Floats
    sharing: Floats
    true_pt: Floats
    of_others: Integers


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("file", type=Path)
    parser.add_argument(
        "--layers", action="append", required=True, metavar="A,B,C", help="of hits, from the inside out"
    )
    parser.add_argument("--choices", default="1", metavar="N,…", help="pairs of each hit that become links")
    parser.add_argument("--events", type=int, default=500)
    parser.add_argument("--output", type=Path, required=True, help="JSON file; a table goes next to it")
    options = parser.parse_args()
    try:
        check_file(options.output)
        if options.events < 1:
            raise UsageError(f"--events {options.events}: give one at least.")
        records: list[Record] = []
        for words in options.layers:
            for choices in options.choices.split(","):
                settings = {"layers": words.split(","), "choices": choices}
                group = validate(LinkGroup, settings, "--layers, --choices")
                records += records_of(_name(group), compared(options.file, group, options.events))
    except (InputError, UsageError) as error:
        parser.exit(1, f"link_truth.py: {error}\n")
    command = shlex.join(["python", "scripts/link_truth.py", *sys.argv[1:]])
    for path in write_report(options.output, command, records):
        print(f"wrote {path}")


def _name(group: LinkGroup) -> str:
    """Such as "BPIX1–TOB2, 3 choices"."""
    choices = "" if group.choices == 1 else f", {group.choices} choices"
    return f"{len(group.layers)} layers {group.layers[0]}–{group.layers[-1]}{choices}"


def compared(path: Path, group: LinkGroup, events: int) -> Compared:
    """Links of ``group`` and particles in the hardest jets of the first ``events`` of a file; InputError when it has no
    such truth or jets."""
    rows = [channels()[name] for name in group.layers]
    layers, gen_pt, wanted = read(path, rows, events)
    parts = []
    for start in range(0, len(gen_pt), JETS_AT_ONCE):
        some = slice(start, start + JETS_AT_ONCE)
        given = [JetHits(hits.points[some], hits.found[some], hits.particle[some]) for hits in layers]
        parts.append(_compare(given, [row.radius for row in rows], group, gen_pt[some], wanted[some]))
    found = Compared(*(np.concatenate(column) for column in zip(*parts, strict=True)))
    if not found.pt.size or not found.true.any():
        raise InputError(f"{path}: no particle with a hit in each of {', '.join(group.layers[:3])}; give another file.")
    return found


def read(path: Path, rows: Sequence[Channel], events: int) -> tuple[list[JetHits], Floats, NDArray[np.bool_]]:
    """Hits of the hardest jet of each of the first ``events``, layer by layer, with pT of the generated particles
    [J, G] and whether they are to be found (charged, stable, above ``LEAST_PT``)."""
    tree = find_tree(str(path), TREES, "a file of simulate")
    names = [*(f"hit_{name}" for name in HITS), *(f"gen_{name}" for name in GEN), "jetPt", "jetEta", "jetPhi"]
    there = set(tree.keys())
    if absent := [name for name in names if name not in there]:
        raise InputError(f"{path}: no branch {absent[0]}; give a file of simulate.")
    with damage_named(str(path), "its hits cannot be read"):
        record = tree.arrays(names, entry_stop=events)
    hardest = record[["jetEta", "jetPhi"]][ak.argmax(record.jetPt, axis=1, keepdims=True)]
    record = record[central := ak.fill_none(ak.firsts(np.abs(hardest.jetEta) < AXIS_ETA), False)]
    if not len(record):
        raise InputError(f"{path}: no jet within |η| of {AXIS_ETA}; give another file.")
    eta, phi = (ak.to_numpy(ak.firsts(hardest[name][central])) for name in ("jetEta", "jetPhi"))
    jet = np.repeat(np.arange(len(record)), ak.to_numpy(ak.num(record.hit_layer)))
    x, y, z, detector, layer, particle = (ak.to_numpy(ak.flatten(record[f"hit_{name}"])) for name in HITS)
    deta = np.arcsinh(z / np.hypot(x, y)) - eta[jet]
    dphi = np.asarray(delta_phi(np.arctan2(y, x), phi[jet]))
    inside = (np.abs(deta) < HALF_REGION) & (np.abs(dphi) < HALF_REGION)
    layers = []
    for row in rows:
        assert row.cms is not None  # LinkGroup takes layers of hits alone
        chosen = inside & (detector == row.cms[0]) & (layer == row.cms[1])
        layers.append(_nearest(jet[chosen], deta[chosen], dphi[chosen], particle[chosen], len(record)))
    pt, kind, status = (_padded(record[f"gen_{name}"]) for name in ("pt", "pdgId", "status"))
    return layers, pt, np.isin(np.abs(kind), CHARGED) & (status == 1) & (pt > LEAST_PT)


def _padded(values: ak.Array) -> Floats:
    return ak.to_numpy(ak.fill_none(ak.pad_none(values, int(ak.max(ak.num(values))), clip=True), 0)).astype(np.float64)


def _nearest(jet: Integers, deta: Floats, dphi: Floats, particle: Integers, jets: int) -> JetHits:
    """The ``MOST_HITS`` hits of a layer that lie nearest to the axis of each jet."""
    order = np.lexsort((np.hypot(deta, dphi), jet))
    counts = np.bincount(jet, minlength=jets)
    place = np.arange(len(jet)) - np.repeat(np.cumsum(counts) - counts, counts)
    kept = order[place < MOST_HITS]
    at = jet[kept], place[place < MOST_HITS]
    points, found = np.zeros((jets, 2, MOST_HITS)), np.zeros((jets, MOST_HITS), bool)
    owner = np.full((jets, MOST_HITS), -1)
    points[at[0], 0, at[1]], points[at[0], 1, at[1]] = deta[kept], dphi[kept]
    found[at], owner[at] = True, particle[kept]
    return JetHits(points, found, owner)


def _compare(
    layers: Sequence[JetHits], radii: Sequence[float], group: LinkGroup, gen_pt: Floats, wanted: NDArray[np.bool_]
) -> list[NDArray]:
    """The arrays of ``Compared`` for some jets."""
    given = [
        LayerHits(radius, torch.from_numpy(hits.points), torch.from_numpy(hits.found))
        for radius, hits in zip(radii, layers, strict=True)
    ]
    links = find_links(
        given, candidates=group.candidates, most_chi2=group.most_chi2, periodic=False, choices=group.choices
    )
    pt = 0.5 * GEV_PER_TESLA_CM * SOLENOID_FIELD / links.bend.abs().clamp(min=LEAST_BEND).numpy()
    # The particle of a link's hits, and whether they have but one.
    highest, lowest = _owners(layers, links.members.numpy())
    one, found = (highest == lowest) & (highest >= 0), links.found.numpy()
    counted = found & (pt > LEAST_PT)
    others, counted = counted & (highest < 0), counted & (highest >= 0)
    true, jet = one[counted], np.nonzero(counted)[0]
    true_pt = np.where(true, gen_pt[jet, highest[counted]], np.nan)
    for hits in layers[:3]:
        wanted = wanted & _named(wanted.shape, hits.particle, hits.particle >= 0)
    linked = _named(wanted.shape, highest, found & one)
    number, sharing = (values.numpy()[counted] for values in (links.hits, links.sharing))
    return [gen_pt[wanted], linked[wanted], pt[counted], true, number, sharing, true_pt, others.sum(1)]


def _owners(layers: Sequence[JetHits], members: Integers) -> tuple[Integers, Integers]:
    """The highest and the lowest particle among the hits of links, [J, L] each; ``members`` [J, layers, L]."""
    of_hits = [np.take_along_axis(hits.particle, members[:, i].clip(min=0), axis=1) for i, hits in enumerate(layers)]
    owner, there = np.stack(of_hits, axis=1), members >= 0
    return owner.max(1, where=there, initial=-1), owner.min(1, where=there, initial=np.iinfo(owner.dtype).max)


def _named(shape: tuple[int, ...], particle: Integers, which: NDArray[np.bool_]) -> NDArray[np.bool_]:
    """Which particles of each jet, of ``shape`` [J, G], ``particle`` names where ``which``."""
    named = np.zeros(shape, bool)
    jet, place = np.nonzero(which)
    named[jet, particle[jet, place]] = True
    return named


def records_of(case: str, found: Compared) -> list[Record]:
    """Efficiency, purity, pT over the particle's; purity by number of hits and by whether the first hit is shared."""
    about = f"and {found.of_others.sum()} of pile-up or noise"
    records = [
        Record(case, len(found.pt), "efficiency", float(found.found.mean()), "", "particles with a true link"),
        Record(case, len(found.true), "purity", float(found.true.mean()), "", f"true links; {about}"),
    ]
    for low, high in pairwise(PT_EDGES):
        where = f"{case}, pt {low:g}-{high:g}"
        particles, links = (((pt >= low) & (pt < high)) for pt in (found.pt, found.link_pt))
        if particles.any():
            share = float(found.found[particles].mean())
            records.append(Record(where, int(particles.sum()), "efficiency", share, "", "by the particle's pT"))
        if links.any():
            share = float(found.true[links].mean())
            records.append(Record(where, int(links.sum()), "purity", share, "", "by the link's pT"))
        own = (found.true_pt >= low) & (found.true_pt < high)
        if own.sum() > 10:
            ratio = found.link_pt[own] / found.true_pt[own]
            width = float(np.subtract(*np.percentile(ratio, [84.135, 15.865])) / 2)
            records.append(Record(where, int(own.sum()), "pt_response", float(np.median(ratio)), "", "median"))
            records.append(Record(where, int(own.sum()), "pt_resolution", width, "", "half of 68%"))
    kinds = {f"{hits:.0f} hits": found.hits == hits for hits in np.unique(found.hits)}
    kinds |= {"first hit shared": found.sharing > 0, "first hit alone": found.sharing == 0}
    for name, members in kinds.items():
        if members.any():
            share = float(found.true[members].mean())
            records.append(Record(f"{case}, {name}", int(members.sum()), "purity", share, "", "true links"))
    return records


if __name__ == "__main__":
    use_utf8()
    main()
