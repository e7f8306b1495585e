"""Particle guns: chosen particles at flat mass, pT and η, inside pp collisions or alone.

Inside a pp collision (the default) two gluons give a particle and its antiparticle, back to back in φ, each with an η
of its own; final-state showers, the underlying event, hadronisation and decays are Pythia's (user process, strategy 3
of the Les Houches accord, hep-ph/0109068). No jet recoils against the pair: initial-state showers and primordial kT are
off, so that pT and η stay as drawn; ``generator.settings`` can turn them on. A ``bare`` gun shoots one particle, its
sign of charge at random, and nothing else.
"""

from __future__ import annotations

from typing import Annotated, Any

import numpy as np
from numpy.typing import NDArray
from pydantic import Field, model_validator

from e2egraph.config import configuration
from e2egraph.detector.geometry import Integers
from e2egraph.errors import UsageError

# Proton, gluon; codes of the Les Houches accord and of Pythia for incoming and outgoing particles of a hard process.
PROTON, GLUON = 2212, 21
INCOMING, OUTGOING, OUTGOING_IN_PYTHIA = -1, 1, 23
UNKNOWN_SPIN = 9.0
ALPHA_EM, ALPHA_STRONG = 1.0 / 128.0, 0.118

# Colour lines of the gluons' pair by the colour type of what they become, as Pythia counts it: none, triplet, octet.
_COLOURS = {
    0: ((101, 102), (102, 101), (0, 0), (0, 0)),
    1: ((101, 102), (102, 103), (101, 0), (0, 103)),
    2: ((101, 102), (103, 104), (101, 104), (103, 102)),
}

_NO_RECOIL = ("PartonLevel:ISR = off", "BeamRemnants:primordialKT = off")

NonNegative = Annotated[float, Field(ge=0)]

# Columns of Pythia's record that a bare gun reads, by the names of Generated.
_COLUMNS = {
    "pdg": "id", "status": "status", "mother1": "mother1", "mother2": "mother2", "daughter1": "daughter1",
    "daughter2": "daughter2", "px": "px", "py": "py", "pz": "pz", "mass": "m", "x": "xProd", "y": "yProd",
    "z": "zProd", "t": "tProd",
}  # fmt: skip


@configuration
class GunConfig:
    """Particles ``pdg_id`` at ``pt`` [GeV], ``eta`` and ``mass`` [GeV] drawn evenly between two limits each.

    Without ``mass`` each has the mass of Pythia's table. ``bare``: one particle alone, with no pp collision around it.

    ``pdg_id``: PDG id of the particle. ``pt`` [GeV]: limits of pT. ``eta``: limits of η. ``mass`` [GeV]: limits of
    the mass.
    """

    pdg_id: int
    pt: tuple[NonNegative, NonNegative]
    eta: tuple[float, float] = (-2.5, 2.5)
    mass: tuple[NonNegative, NonNegative] | None = None
    bare: bool = False

    @model_validator(mode="after")
    def _ranges(self) -> GunConfig:
        for name in ("pt", "eta", "mass"):
            limits = getattr(self, name)
            if limits is not None and limits[0] > limits[1]:
                raise ValueError(f"{name} of the gun needs a lower and a higher limit, has {list(limits)}")
        return self


class Gun:
    """A gun ready to shoot: what it needs to know of its particle, and its random numbers."""

    def __init__(self, config: GunConfig, energy: float, data: Any, seed: int, origin: str) -> None:
        """``data``: Pythia's table of particles with the settings read; ``energy`` of the pp collision [GeV].

        UsageError, naming ``origin``, on a particle that Pythia does not know, and on a mass, pT or η that cannot be.
        """
        self._config, self._half_energy, self._rng = config, 0.5 * energy, np.random.default_rng(seed)
        name = f"{origin}: generator.gun"
        if not data.isParticle(config.pdg_id):
            raise UsageError(f"{name}: Pythia knows no particle {config.pdg_id}; correct pdg_id.")
        entry = data.findParticle(config.pdg_id)
        self._table_mass = float(entry.m0())
        self._anti = -config.pdg_id if entry.hasAnti() else config.pdg_id
        self._colour = abs(int(entry.colType()))
        if self._colour not in _COLOURS:
            raise UsageError(f"{name}: particles like {config.pdg_id} cannot be made of two gluons; correct pdg_id.")
        if config.bare and self._colour:
            raise UsageError(f"{name}: {config.pdg_id} has colour and cannot be alone; leave out bare.")
        _check_mass(config, entry, data, name)
        if not config.bare:
            self._check_energy(name)

    def _check_energy(self, name: str) -> None:
        config = self._config
        heaviest = self._table_mass if config.mass is None else config.mass[1]
        transverse = np.hypot(heaviest, config.pt[1])
        # Rapidities are smaller than pseudorapidities.
        for eta in (config.eta[1], -config.eta[0]):
            if 2.0 * transverse * np.exp(np.maximum(eta, 0.0)) >= 2.0 * self._half_energy:
                raise UsageError(
                    f"{name}: two particles of {heaviest:g} GeV with a pT of {config.pt[1]:g} GeV at |η| = "
                    f"{abs(eta):g} need more than the collision's energy; lower mass, pt or eta."
                )

    def draw(self, size: int) -> tuple[float, NDArray[np.float64], NDArray[np.float64]]:
        """pT, and the masses and η of ``size`` particles of one event."""
        config = self._config
        mass = np.full(size, self._table_mass)
        if config.mass is not None:
            mass = self._rng.uniform(*config.mass, size)
        return float(self._rng.uniform(*config.pt)), mass, self._rng.uniform(*config.eta, size)

    def user_process(self, pythia8mc: Any) -> Any:
        """What gives Pythia the hard process of each event, for ``setLHAupPtr``."""
        gun = self

        class UserProcess(pythia8mc.LHAup):
            def __init__(self) -> None:
                pythia8mc.LHAup.__init__(self, 3)

            def setInit(self) -> bool:  # noqa: N802 (Pythia's name)
                self.setBeamA(PROTON, gun._half_energy)
                self.setBeamB(PROTON, gun._half_energy)
                self.setStrategy(3)
                self.addProcess(1, 1.0, 0.0, 1.0)
                return True

            def setEvent(self, _process: int = 0) -> bool:  # noqa: N802
                gun._set_event(self)
                return True

        return UserProcess()

    def _set_event(self, process: Any) -> None:
        pt, mass, eta = self.draw(2)
        phi = self._rng.uniform(-np.pi, np.pi)
        pz = pt * np.sinh(eta)
        energy = np.sqrt(pt**2 + pz**2 + mass**2)
        forward, backward = 0.5 * (energy.sum() + pz.sum()), 0.5 * (energy.sum() - pz.sum())
        scale = float(np.hypot(pt, mass.max()))
        process.setProcess(1, 1.0, scale, ALPHA_EM, ALPHA_STRONG)
        colours = _COLOURS[self._colour]
        for momentum, (colour, anticolour) in zip((forward, -backward), colours[:2], strict=True):
            process.addParticle(
                GLUON, INCOMING, 0, 0, colour, anticolour, 0.0, 0.0, momentum, abs(momentum), 0.0, 0.0, UNKNOWN_SPIN,
                scale,
            )  # fmt: skip
        first = self._config.pdg_id if self._config.pdg_id > 0 else self._anti
        second = self._anti if first == self._config.pdg_id else self._config.pdg_id
        for number, pdg in enumerate((first, second)):
            sign = 1.0 - 2.0 * number
            process.addParticle(
                pdg, OUTGOING, 1, 2, *colours[2 + number], sign * pt * np.cos(phi), sign * pt * np.sin(phi),
                float(pz[number]), float(energy[number]), float(mass[number]), 0.0, UNKNOWN_SPIN, scale,
            )  # fmt: skip
        fractions = forward / self._half_energy, backward / self._half_energy
        process.setIdX(GLUON, GLUON, *fractions)
        process.setPdf(GLUON, GLUON, *fractions, scale, 0.0, 0.0, False)

    def shoot(self, pythia: Any, events: int) -> tuple[Integers, dict[str, NDArray[np.float64]]]:
        """``events`` particles alone, with their decays: number of entries of each event, and columns of the record.

        Lengths are in mm, times in mm/c.
        """
        record = pythia.event
        counts: list[int] = []
        rows: list[list[float]] = []
        while len(counts) < events:
            pt, mass, eta = self.draw(1)
            phi = self._rng.uniform(-np.pi, np.pi)
            pdg = self._config.pdg_id if self._rng.uniform() < 0.5 else self._anti
            pz = pt * np.sinh(eta[0])
            energy = float(np.sqrt(pt**2 + pz**2 + mass[0] ** 2))
            record.reset()
            place = record.append(
                pdg, OUTGOING_IN_PYTHIA, 0, 0, pt * np.cos(phi), pt * np.sin(phi), float(pz), energy, float(mass[0])
            )
            record[place].tau(record[place].tau0() * pythia.rndm.exp())
            if not pythia.next():
                continue
            counts.append(record.size())
            rows += [
                [getattr(particle, name)() for name in _COLUMNS.values()]
                for particle in (record[number] for number in range(record.size()))
            ]
        table = np.asarray(rows, dtype=np.float64).reshape(-1, len(_COLUMNS))
        return np.asarray(counts, dtype=np.int64), dict(zip(_COLUMNS, table.T, strict=True))


def settings(config: GunConfig | None) -> tuple[str, ...]:
    """What Pythia has to be told of a gun."""
    if config is None:
        return ()
    if config.bare:
        return ("ProcessLevel:all = off",)
    return ("Beams:frameType = 5", "LesHouches:setLifetime = 2", *_NO_RECOIL)


def _check_mass(config: GunConfig, entry: Any, data: Any, name: str) -> None:
    if config.mass is None:
        return
    channels = [entry.channel(number) for number in range(entry.sizeChannels())]
    open_ones = [channel for channel in channels if channel.onMode() != 0]
    if not (entry.mayDecay() and open_ones):
        own = float(entry.m0())
        if config.mass != (own, own):
            raise UsageError(
                f"{name}: {config.pdg_id} does not decay, so that its mass is {own:g} GeV; leave out mass."
            )
        return
    needed = min(
        sum(float(data.mMin(channel.product(number))) or float(data.m0(channel.product(number)))
            for number in range(channel.multiplicity()))
        for channel in open_ones
    )  # fmt: skip
    if config.mass[0] < needed:
        raise UsageError(
            f"{name}: a mass of {config.mass[0]:g} GeV is less than the decay products of {config.pdg_id} have, "
            f"{needed:g} GeV; raise the lower limit of mass, or choose other decays in generator.settings."
        )
