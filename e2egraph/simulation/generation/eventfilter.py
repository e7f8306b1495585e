"""A filter on generated events: which are worth a detector's response, and how many were tried for them."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import fields
from typing import Annotated

import numpy as np
from pydantic import Field, model_validator

from e2egraph.config import configuration
from e2egraph.detector.geometry import Booleans, Integers
from e2egraph.errors import InputError
from e2egraph.simulation.generation.generated import Generated
from e2egraph.simulation.response.jetsconfig import FatJetsConfig

NonNegative = Annotated[float, Field(ge=0)]

# Events are asked for by so many at least, and given up on after so many without a single one that passes.
FEWEST_AT_ONCE, MOST_IN_VAIN = 50, 20_000


@configuration
class ParticleFilter:
    """At least ``number`` particles of the kinds ``pdg_id`` (antiparticles count too) with pT above ``min_pt`` [GeV]
    and |η| below ``max_eta``; of a particle with several copies the last counts.

    ``pdg_id``: PDG ids of the kinds. ``number``: of particles at least. ``min_pt`` [GeV]: least pT of each.
    ``max_eta``: largest |η| of each.
    """

    pdg_id: tuple[int, ...]
    number: int = Field(default=1, ge=1)
    min_pt: NonNegative = 0.0
    max_eta: NonNegative = 1e9


@configuration
class JetFilter:
    """At least ``number`` anti-kT jets of ``radius`` with pT above ``min_pt`` [GeV] and |η| below ``max_eta``, whose pT
    add up to at least ``ht`` [GeV]; of visible final-state particles.

    ``radius``: of the jets. ``min_pt`` [GeV]: least pT of each. ``max_eta``: largest |η| of each. ``number``: of
    jets at least. ``ht`` [GeV]: least sum of their pT.
    """

    radius: Annotated[float, Field(gt=0)] = 0.4
    min_pt: NonNegative = 20.0
    max_eta: NonNegative = 2.5
    number: int = Field(default=0, ge=0)
    ht: NonNegative = 0.0


@configuration
class FatJetFilter:
    """Masses of large anti-kT jets, which are clustered from the jets of the ``JetFilter``.

    ``sum_mass`` [GeV]: what they add up to at least. ``radius``: of these jets. ``min_pt`` [GeV], ``max_eta``: least pT
    and largest |η| of those that count.
    """

    sum_mass: Annotated[float, Field(gt=0)]
    radius: Annotated[float, Field(gt=0)] = 1.2
    min_pt: NonNegative = 30.0
    max_eta: NonNegative = 2.5


@configuration
class FilterConfig:
    """What a generated event needs to have: all of ``particles``, the ``jets``, and the ``fat_jets`` made of them."""

    particles: tuple[ParticleFilter, ...] = ()
    jets: JetFilter | None = None
    fat_jets: FatJetFilter | None = None

    @model_validator(mode="after")
    def _asks_for_something(self) -> FilterConfig:
        if self.fat_jets is not None and self.jets is None:
            raise ValueError("fat_jets are clustered from jets; give jets too")
        asked = self.jets is not None and (self.jets.number or self.jets.ht or self.fat_jets)
        if not self.particles and not asked:
            raise ValueError("the filter asks for nothing; give particles, or a number or ht of jets, or leave it out")
        return self


class EventFilter:
    """Fills up events that pass. ``tried`` and ``kept`` count events, ``tried_weight`` and ``kept_weight`` add up the
    generator's weights, ``tried_square`` and ``kept_square`` their squares: the ratio of the weights is the
    efficiency."""

    def __init__(self, config: FilterConfig, origin: str) -> None:
        self._config, self._origin = config, origin
        self._spare: Generated | None = None
        self.tried, self.kept = 0, 0
        self.tried_weight, self.kept_weight = 0.0, 0.0
        self.tried_square, self.kept_square = 0.0, 0.0

    def fill(self, events: int, generate: Callable[[int], Generated]) -> Generated:
        """``events`` events that pass, of those that ``generate`` gives; InputError when next to none does."""
        parts = [] if self._spare is None else [self._spare]
        found = sum(part.n_events for part in parts)
        vain = 0
        while found < events:
            batch = generate(max(events - found, FEWEST_AT_ONCE))
            passing = np.flatnonzero(passes(batch, self._config))
            self.tried += batch.n_events
            self.kept += len(passing)
            kept = batch.weight[passing]
            self.tried_weight += float(batch.weight.sum())
            self.kept_weight += float(kept.sum())
            self.tried_square += float(np.square(batch.weight).sum())
            self.kept_square += float(np.square(kept).sum())
            vain = 0 if len(passing) else vain + batch.n_events
            if vain >= MOST_IN_VAIN:
                raise InputError(
                    f"{self._origin}: generator.filter kept none of {vain} events; ask for less, or for a harder "
                    f"process."
                )
            found += len(passing)
            if len(passing):
                parts.append(taken(batch, passing))
        everything = joined(parts)
        self._spare = taken(everything, np.arange(events, found)) if found > events else None
        return taken(everything, np.arange(events)) if found > events else everything


def passes(generated: Generated, config: FilterConfig) -> Booleans:
    """Which events of a batch pass [E]."""
    passing = np.ones(generated.n_events, dtype=bool)
    pt = np.hypot(generated.px, generated.py)
    eta = np.abs(np.arcsinh(generated.pz / np.maximum(pt, 1e-12)))
    last = _last_copies(generated)
    for wanted in config.particles:
        chosen = last & np.isin(np.abs(generated.pdg), np.abs(wanted.pdg_id)) & (pt > wanted.min_pt)
        number = np.bincount(generated.event[chosen & (eta < wanted.max_eta)], minlength=generated.n_events)
        passing &= number >= wanted.number
    if config.jets is not None:
        passing &= _passing_jets(generated, config.jets, config.fat_jets)
    return passing


def taken(generated: Generated, events: Integers) -> Generated:
    """Some events of a batch, in the order given."""
    sizes = np.diff(generated.offsets)[events]
    begins = np.cumsum(sizes) - sizes
    entry = np.repeat(generated.offsets[events] - begins, sizes) + np.arange(int(sizes.sum()))
    columns = {name: getattr(generated, name)[entry] for name in _entry_columns()}
    offsets = np.concatenate([[0], np.cumsum(sizes)]).astype(np.int64)
    return Generated(offsets=offsets, weight=generated.weight[events], **columns)


def joined(parts: Sequence[Generated]) -> Generated:
    """All events of several batches."""
    if len(parts) == 1:
        return parts[0]
    sizes = np.concatenate([np.diff(part.offsets) for part in parts])
    columns = {name: np.concatenate([getattr(part, name) for part in parts]) for name in _entry_columns()}
    return Generated(
        offsets=np.concatenate([[0], np.cumsum(sizes)]).astype(np.int64),
        weight=np.concatenate([part.weight for part in parts]),
        **columns,
    )


def _entry_columns() -> list[str]:
    return [column.name for column in fields(Generated) if column.name not in ("offsets", "weight")]


def _last_copies(generated: Generated) -> Booleans:
    """Which entries have no daughter of their own kind."""
    last = generated.status != 0
    mother = generated.mother1 + generated.first
    same = (generated.mother1 > 0) & (generated.pdg[mother] == generated.pdg)
    last[mother[same]] = False
    return last


def _passing_jets(generated: Generated, config: JetFilter, fat: FatJetFilter | None) -> Booleans:
    """Which events have the jets asked for [E]."""
    # Imported here: configurations are read without FastJet.
    from e2egraph.simulation.antikt import cluster_plain, fat_jets
    from e2egraph.simulation.generation.candidates import Candidates

    chosen = (generated.status > 0) & generated.visible
    px, py, pz = generated.px[chosen], generated.py[chosen], generated.pz[chosen]
    energy = np.sqrt(px**2 + py**2 + pz**2 + generated.mass[chosen] ** 2)
    momenta = Candidates(generated.event[chosen], px, py, pz, energy)
    events = generated.n_events
    jets = cluster_plain(momenta, events, config.radius, config.min_pt, config.max_eta)
    number, ht = np.bincount(jets.event, minlength=events), np.bincount(jets.event, jets.pt, events)
    passing = (number >= config.number) & (ht >= config.ht)
    if fat is not None:
        sizes = FatJetsConfig(
            radius=fat.radius, constituent_min_pt=config.min_pt, min_pt=fat.min_pt, max_eta=fat.max_eta
        )
        made = fat_jets(jets, events, sizes)
        passing &= np.bincount(made.event, made.mass, events) >= fat.sum_mass
    return passing
