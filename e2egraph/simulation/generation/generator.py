"""Pythia 8: batches of generated events as flat arrays."""

from __future__ import annotations

import tempfile
from collections.abc import Iterable, Iterator
from contextlib import contextmanager, nullcontext
from dataclasses import dataclass
from typing import Any

import awkward as ak
import numpy as np

from e2egraph.detector.geometry import Booleans, Floats, Integers
from e2egraph.errors import InputError, UsageError
from e2egraph.simulation.generation.process import GeneratorConfig
from e2egraph.simulation.generation.startcache import kept_start

# Particles decay inside this cylinder alone (just within the ECAL, JINST 3 (2008) S08004 §4), so that those flying
# further meet the calorimeter as they are [mm].
DECAY_RADIUS, DECAY_HALF_LENGTH = 1250.0, 3100.0

MM_TO_CM = 0.1
MM_TO_NS = 0.1 / 29.9792458

# Pythia accepts seeds up to this one (manual, "Random-Number Seed").
MAX_PYTHIA_SEED = 900_000_000

# A generator that loses this many whole batches on end has settings that allow no event.
MAX_EMPTY_BATCHES = 20


@dataclass(frozen=True)
class Generated:
    """Pythia's event record of a batch, flat: entry 0 of each event stands for the whole event.

    ``offsets`` [E+1] delimits the events, ``weight`` [E] is what each counts for (``Info::weight``: 1 unless the
    generation is biased); the other arrays have shape [M]. ``mother1`` … ``daughter2`` are indices within the event.
    GeV; production vertex in cm, its time in ns.
    """

    offsets: Integers
    weight: Floats
    pdg: Integers
    status: Integers
    mother1: Integers
    mother2: Integers
    daughter1: Integers
    daughter2: Integers
    px: Floats
    py: Floats
    pz: Floats
    mass: Floats
    x: Floats
    y: Floats
    z: Floats
    t: Floats
    charge: Floats
    visible: Booleans

    @property
    def n_events(self) -> int:
        """Number of events."""
        return len(self.offsets) - 1

    @property
    def event(self) -> Integers:
        """Event index of each entry [M]."""
        return np.repeat(np.arange(self.n_events), np.diff(self.offsets))

    @property
    def first(self) -> Integers:
        """For each entry, the flat index at which its event begins [M]: local + first = flat."""
        return np.repeat(self.offsets[:-1], np.diff(self.offsets))


class Generator:
    """A seeded Pythia 8 instance for one process."""

    def __init__(self, config: GeneratorConfig, seed: int, origin: str) -> None:
        """Initialise Pythia; ``origin`` names the process in errors.

        Raises InputError when pythia8mc is not installed or refuses to start, UsageError on an unknown setting.
        """
        self._origin = origin
        self._pythia = _pythia8mc().Pythia("", False)
        with _slha_file(config.slha) as slha:
            lines = _settings(config, slha)
            self._tell([*lines, f"Random:seed = {1 + seed % MAX_PYTHIA_SEED}"])
            # SLHA stands in a file, whose name says nothing of what it holds.
            with kept_start(self._pythia, config.settings, lines) if slha is None else nullcontext(()) as kept:
                self._tell(kept)
                if not self._pythia.init():
                    raise InputError(
                        f"{origin}: Pythia cannot start with these settings; correct the generator section."
                    )
        self._known: dict[int, tuple[float, bool]] = {}

    def _tell(self, lines: Iterable[str]) -> None:
        for line in lines:
            if not self._pythia.readString(line):
                raise UsageError(
                    f"{self._origin}: Pythia does not know the setting '{line}'; correct generator.settings."
                )

    def generate(self, events: int) -> Generated:
        """The next ``events`` events; those that Pythia itself gives up on are replaced by further ones."""
        batches: list[Any] = []
        missing, empty = events, 0
        while missing > 0:
            batch = self._pythia.nextBatch(missing)
            missing -= len(batch)
            empty = 0 if len(batch) else empty + 1
            if empty > MAX_EMPTY_BATCHES:
                raise InputError(f"{self._origin}: Pythia generates no event; correct the generator section.")
            batches.append(batch)
        return self._flatten(batches[0] if len(batches) == 1 else ak.concatenate(batches))

    def _flatten(self, batch: Any) -> Generated:
        particles = batch.prt
        flat = ak.flatten(particles, axis=1)
        offsets = np.concatenate([[0], np.cumsum(ak.to_numpy(ak.num(particles)))]).astype(np.int64)

        def integers(name: str) -> Integers:
            return ak.to_numpy(flat[name]).astype(np.int64)

        def vertex(name: str, unit: float) -> Floats:
            # Entries without a vertex of their own (those of the collision itself) are at the origin.
            return unit * ak.to_numpy(ak.fill_none(flat.vProd[name], 0.0)).astype(np.float64)

        pdg = integers("id")
        charge, visible = self._properties(pdg)
        return Generated(
            offsets=offsets,
            # The first of the weights is the nominal one, others are variations (manual, "Cross Sections and Weights").
            weight=ak.to_numpy(batch.info.weights[:, 0]).astype(np.float64),
            pdg=pdg,
            status=integers("status"),
            mother1=integers("mother1"),
            mother2=integers("mother2"),
            daughter1=integers("daughter1"),
            daughter2=integers("daughter2"),
            px=ak.to_numpy(flat.p.px),
            py=ak.to_numpy(flat.p.py),
            pz=ak.to_numpy(flat.p.pz),
            mass=np.maximum(ak.to_numpy(flat.m), 0.0),
            x=vertex("px", MM_TO_CM),
            y=vertex("py", MM_TO_CM),
            z=vertex("pz", MM_TO_CM),
            t=vertex("e", MM_TO_NS),
            charge=charge,
            visible=visible,
        )

    def _properties(self, pdg: Integers) -> tuple[Floats, Booleans]:
        codes, where = np.unique(pdg, return_inverse=True)
        data = self._pythia.particleData
        for code in codes.tolist():
            if code not in self._known:
                self._known[code] = (float(data.charge(code)), bool(data.isVisible(code)))
        charges = np.array([self._known[code][0] for code in codes.tolist()])
        visible = np.array([self._known[code][1] for code in codes.tolist()])
        return charges[where], visible[where]


@contextmanager
def _slha_file(text: str | None) -> Iterator[str | None]:
    """A temporary file that holds ``text``: Pythia reads SLHA from files alone, and only when it starts."""
    if text is None:
        yield None
        return
    with tempfile.NamedTemporaryFile("w", suffix=".slha", encoding="utf-8") as file:
        file.write(text)
        file.flush()
        yield file.name


def _settings(config: GeneratorConfig, slha: str | None) -> list[str]:
    """The lines that Pythia is started with, but its seed; ``slha``: file with the configuration's SLHA text."""
    lines = [
        "Print:quiet = on",
        "SLHA:verbose = 0",
        "Random:setSeed = on",
        f"Beams:eCM = {config.energy}",
        "ParticleDecays:limitCylinder = on",
        f"ParticleDecays:xyMax = {DECAY_RADIUS}",
        f"ParticleDecays:zMax = {DECAY_HALF_LENGTH}",
    ]
    if config.pt_hat_minimum is not None:
        lines.append(f"PhaseSpace:pTHatMin = {config.pt_hat_minimum}")
    if config.pt_hat_maximum is not None:
        lines.append(f"PhaseSpace:pTHatMax = {config.pt_hat_maximum}")
    if slha is not None:
        lines.append(f"SLHA:file = {slha}")
    return [*lines, *config.settings]


def _pythia8mc() -> Any:
    try:
        import pythia8mc
    except ImportError as error:
        raise InputError(
            "simulate needs Pythia 8, which is not installed; install it with pip install 'e2egraph[sim]'."
        ) from error
    return pythia8mc
