"""Pythia 8: batches of generated events as flat arrays."""

from __future__ import annotations

import tempfile
from collections.abc import Iterable, Iterator
from contextlib import contextmanager, nullcontext
from typing import Any

import awkward as ak
import numpy as np

from e2egraph.detector.geometry import Booleans, Floats, Integers
from e2egraph.errors import InputError, UsageError
from e2egraph.simulation.generation import gun as particle_gun
from e2egraph.simulation.generation.eventfilter import EventFilter
from e2egraph.simulation.generation.generated import Generated
from e2egraph.simulation.generation.process import GeneratorConfig
from e2egraph.simulation.generation.scattering import has_two_to_two, is_two_to_two
from e2egraph.simulation.generation.startcache import kept_start

# Particles decay inside this cylinder alone (just within the ECAL, JINST 3 (2008) S08004 §4), so that those flying
# further meet the calorimeter as they are [mm].
DECAY_RADIUS, DECAY_HALF_LENGTH = 1250.0, 3100.0

MM_TO_CM = 0.1
MM_TO_NS = 0.1 / 29.9792458
MB_TO_PB = 1e9

# Relative difference of two energies of beams that are meant to be one.
SAME_ENERGY = 1e-3

# A generator that loses this many whole batches on end has settings that allow no event.
MAX_EMPTY_BATCHES = 20


class Generator:
    """A seeded Pythia 8 instance for one process."""

    def __init__(self, config: GeneratorConfig, seed: int, origin: str) -> None:
        """Initialise Pythia; ``seed``, from 0 to ``seeds.MAX_SEED``; ``origin`` names the process in errors.

        Raises InputError when pythia8mc is not installed or refuses to start, UsageError on an unknown setting.
        """
        self._config, self._origin = config, origin
        pythia8mc = _pythia8mc()
        self._pythia = pythia8mc.Pythia("", False)
        self._gun: particle_gun.Gun | None = None
        with _slha_file(config.slha) as slha:
            lines = _settings(config, slha)
            self._tell([*lines, f"Random:seed = {1 + seed}"])
            if config.gun is not None:
                data = self._pythia.particleData
                self._gun = particle_gun.Gun(config.gun, config.energy, data, seed, origin)
                if not config.gun.bare:
                    self._process = self._gun.user_process(pythia8mc)
                    self._pythia.setLHAupPtr(self._process)
            # SLHA stands in a file, whose name says nothing of what it holds; the events of a gun come from Python.
            known = slha is None and config.gun is None
            with kept_start(self._pythia, config.settings, lines) if known else nullcontext(()) as kept:
                self._tell(kept)
                if not self._pythia.init():
                    raise InputError(
                        f"{origin}: Pythia cannot start with these settings; correct the generator section."
                    )
        self._bare = config.gun is not None and config.gun.bare
        if not self._bare:
            self._check_energy(config.energy)
        self._read = 0
        self.filter = None if config.filter is None else EventFilter(config.filter, origin)
        self._known: dict[int, tuple[float, bool]] = {}

    def _tell(self, lines: Iterable[str]) -> None:
        for line in lines:
            if not self._pythia.readString(line):
                raise UsageError(
                    f"{self._origin}: Pythia does not know the setting '{line}'; correct generator.settings."
                )

    def _check_energy(self, stated: float) -> None:
        """UsageError when the settings, or a file of events, brought beams of another energy than ``stated`` [GeV]."""
        energy = float(self._pythia.infoPython().eCM())
        if abs(energy - stated) > SAME_ENERGY * stated:
            raise UsageError(
                f"{self._origin}: generator.energy is {stated:g} GeV, but the generator's settings make Pythia collide "
                f"beams at {energy:g} GeV; set generator.energy={energy:g}, which pile-up follows too."
            )

    def _check_limits(self) -> None:
        """UsageError for limits on p̂T, of the events just generated, that no process which is on has a use for."""
        config = self._config
        if not (config.pt_hat_minimum or config.pt_hat_maximum) or is_two_to_two(self._pythia.infoPython()):
            return
        # Another event may be one.
        with _slha_file(config.slha) as slha:
            limited = has_two_to_two(type(self._pythia), _settings(config, slha))
        if not limited:
            raise UsageError(
                f"{self._origin}: generator.pt_hat_minimum and pt_hat_maximum limit 2 → 2 scatterings, and the "
                "processes that generator.settings turn on have none; leave them out."
            )

    def generate(self, events: int) -> Generated:
        """The next ``events`` events that pass the filter, if any."""
        return self._next(events) if self.filter is None else self.filter.fill(events, self._next)

    @property
    def cross_section(self) -> float:
        """Pythia's estimate so far of the cross section of what it generates, before the filter [pb]."""
        return float(self._pythia.infoPython().sigmaGen()) * MB_TO_PB

    def _next(self, events: int) -> Generated:
        """The next ``events`` events; those that Pythia itself gives up on are replaced by further ones.

        Fewer for a filter, when a file of events ends. InputError when it had ended, or Pythia generates no event.
        """
        if self._bare and self._gun is not None:
            return self._alone(*self._gun.shoot(self._pythia, events))
        batches: list[Any] = []
        missing, empty = events, 0
        while missing > 0:
            batch = self._pythia.nextBatch(missing)
            missing -= len(batch)
            empty = 0 if len(batch) else empty + 1
            if empty > MAX_EMPTY_BATCHES:
                raise InputError(f"{self._origin}: Pythia generates no event; correct the generator section.")
            batches.append(batch)
            if self._read == 0 and len(batch):
                self._check_limits()
            self._read += len(batch)
            if missing > 0 and self._pythia.infoPython().atEndOfFile():
                if self.filter is not None and missing < events:
                    break
                raise InputError(
                    f"{self._origin}: the file of events that the generator's settings name ended after {self._read} "
                    "events; ask for fewer."
                )
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

    def _alone(self, counts: Integers, columns: dict[str, Floats]) -> Generated:
        """Events of a bare gun, from its columns."""
        pdg = columns["pdg"].astype(np.int64)
        charge, visible = self._properties(pdg)
        return Generated(
            offsets=np.concatenate([[0], np.cumsum(counts)]).astype(np.int64),
            weight=np.ones(len(counts)),
            pdg=pdg,
            status=columns["status"].astype(np.int64),
            mother1=columns["mother1"].astype(np.int64),
            mother2=columns["mother2"].astype(np.int64),
            daughter1=columns["daughter1"].astype(np.int64),
            daughter2=columns["daughter2"].astype(np.int64),
            px=columns["px"],
            py=columns["py"],
            pz=columns["pz"],
            mass=np.maximum(columns["mass"], 0.0),
            x=MM_TO_CM * columns["x"],
            y=MM_TO_CM * columns["y"],
            z=MM_TO_CM * columns["z"],
            t=MM_TO_NS * columns["t"],
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
    if config.tune is not None:
        lines.append(f"Tune:pp = {config.tune}")
    if config.pt_hat_minimum is not None:
        lines.append(f"PhaseSpace:pTHatMin = {config.pt_hat_minimum}")
    if config.pt_hat_maximum is not None:
        lines.append(f"PhaseSpace:pTHatMax = {config.pt_hat_maximum}")
    if slha is not None:
        lines.append(f"SLHA:file = {slha}")
    return [*lines, *particle_gun.settings(config.gun), *config.settings]


def _pythia8mc() -> Any:
    try:
        import pythia8mc
    except ImportError as error:
        raise InputError(
            "simulate needs Pythia 8, which is not installed; install it with pip install 'e2egraph[sim]'."
        ) from error
    return pythia8mc
