"""Particle guns: chosen particles at flat mass, pT and η, inside pp collisions or alone.

Inside a pp collision (the default) two gluons give a particle and its antiparticle, back to back in φ, each with an η
of its own; final-state showers, the underlying event, hadronisation and decays are Pythia's (user process, strategy 3
of the Les Houches accord, hep-ph/0109068). No jet recoils against the pair: initial-state showers and primordial kT are
off, so that pT and η stay as drawn; ``generator.settings`` can turn them on. A ``bare`` gun shoots one particle, its
sign of charge at random, and nothing else; or, with a ``grid``, many far from one another, as calibrations need them.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from e2egraph.detector.geometry import Integers
from e2egraph.errors import InputError, UsageError
from e2egraph.simulation.generation.gunconfig import GunConfig

# Proton, gluon; codes of the Les Houches accord and of Pythia for incoming and outgoing particles of a hard process.
PROTON, GLUON = 2212, 21
INCOMING, OUTGOING, OUTGOING_IN_PYTHIA = -1, 1, 23
UNKNOWN_SPIN = 9.0
ALPHA_EM, ALPHA_STRONG = 1.0 / 128.0, 0.118

# A bare gun is given up on when Pythia cannot let its particles decay so many times on end.
MOST_IN_VAIN = 1000

# Colour lines of the gluons' pair by the colour type of what they become, as Pythia counts it: none, triplet, octet.
_COLOURS = {
    0: ((101, 102), (102, 101), (0, 0), (0, 0)),
    1: ((101, 102), (102, 103), (101, 0), (0, 103)),
    2: ((101, 102), (103, 104), (101, 104), (103, 102)),
}

# Lifetimes are Pythia's; masses of leptons, which it would set to those of its table, are the gun's.
_AS_DRAWN = ("Beams:frameType = 5", "LesHouches:setLifetime = 2", "LesHouches:setLeptonMass = 0")
_NO_RECOIL = ("PartonLevel:ISR = off", "BeamRemnants:primordialKT = off")

# PDG codes that generators use for what is no particle (PDG Review of Particle Physics, "Monte Carlo particle numbering
# scheme").
PSEUDO_PARTICLES = range(81, 101)

# PDG code, px, py, pz, energy and mass of a particle.
_Shot = tuple[int, float, float, float, float, float]

# Columns of Pythia's record that a bare gun reads, by the names of Generated.
_COLUMNS = {
    "pdg": "id", "status": "status", "mother1": "mother1", "mother2": "mother2", "daughter1": "daughter1",
    "daughter2": "daughter2", "px": "px", "py": "py", "pz": "pz", "mass": "m", "x": "xProd", "y": "yProd",
    "z": "zProd", "t": "tProd",
}  # fmt: skip


class Gun:
    """A gun ready to shoot: what it needs to know of its particle, and its random numbers."""

    def __init__(self, config: GunConfig, energy: float, data: Any, seed: int, origin: str) -> None:
        """``data``: Pythia's table of particles with the settings read; ``energy`` of the pp collision [GeV].

        UsageError, naming ``origin``, on a particle that Pythia does not know, and on a mass, pT or η that cannot be.
        """
        self._config, self._half_energy, self._rng = config, 0.5 * energy, np.random.default_rng(seed)
        self._name = name = f"{origin}: generator.gun"
        if not data.isParticle(config.pdg_id) or abs(config.pdg_id) in PSEUDO_PARTICLES:
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
        heaviest = self._table_mass if config.mass is None else config.mass[1]
        if config.bare:
            self._check_alone(name, heaviest)
        else:
            self._check_energy(name, heaviest, _pt_limits(config)[1])
        if config.energy is not None and config.energy[0] <= heaviest:
            raise UsageError(
                f"{name}: an energy of {config.energy[0]:g} GeV is no more than the mass, {heaviest:g} GeV; raise the "
                "lower limit of energy."
            )

    def _check_energy(self, name: str, heaviest: float, largest_pt: float) -> None:
        config = self._config
        transverse = np.hypot(heaviest, largest_pt)
        # Rapidities are smaller than pseudorapidities.
        for eta in (config.eta[1], -config.eta[0]):
            if 2.0 * transverse * np.exp(np.maximum(eta, 0.0)) >= 2.0 * self._half_energy:
                raise UsageError(
                    f"{name}: two particles of {heaviest:g} GeV with a pT of {largest_pt:g} GeV at |η| = "
                    f"{abs(eta):g} need more than the collision's energy; lower mass, pt or eta."
                )

    def _check_alone(self, name: str, heaviest: float) -> None:
        config = self._config
        if config.energy is None:
            most = float(np.hypot(heaviest, _pt_limits(config)[1] * np.cosh(np.max(np.abs(config.eta)))))
        else:
            most = max(heaviest, config.energy[1])
        if most > self._half_energy:
            raise UsageError(
                f"{name}: a particle of {most:g} GeV has more energy than a proton of the beams, "
                f"{self._half_energy:g} GeV; lower mass, pt, eta or energy, or raise generator.energy."
            )

    def draw(self, size: int) -> tuple[float, NDArray[np.float64], NDArray[np.float64]]:
        """pT, and the masses and η of ``size`` particles of one event."""
        config = self._config
        mass = np.full(size, self._table_mass)
        if config.mass is not None:
            mass = self._rng.uniform(*config.mass, size)
        return float(self._rng.uniform(*_pt_limits(config))), mass, self._rng.uniform(*config.eta, size)

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
        """``events`` events of particles alone, or of grids of them, with their decays.

        Returns the number of entries of each event, and columns of the record; lengths in mm, times in mm/c. InputError
        when Pythia cannot let the particles decay.
        """
        record = pythia.event
        counts: list[int] = []
        rows: list[list[float]] = []
        vain = 0
        while len(counts) < events:
            shots = [self._shot()] if self._config.grid is None else self._shots(*self._config.grid)
            record.reset()
            for pdg, *momentum, mass in shots:
                place = record.append(pdg, OUTGOING_IN_PYTHIA, 0, 0, *momentum, mass)
                record[place].tau(record[place].tau0() * pythia.rndm.exp())
            if not pythia.next():
                vain += 1
                if vain >= MOST_IN_VAIN:
                    raise InputError(
                        f"{self._name}: Pythia could let none of {vain} particles {self._config.pdg_id} on end decay; "
                        "correct its decays in generator.settings, or raise mass."
                    )
                continue
            vain = 0
            counts.append(record.size())
            rows += [
                [getattr(particle, name)() for name in _COLUMNS.values()]
                for particle in (record[number] for number in range(record.size()))
            ]
        table = np.asarray(rows, dtype=np.float64).reshape(-1, len(_COLUMNS))
        return np.asarray(counts, dtype=np.int64), dict(zip(_COLUMNS, table.T, strict=True))

    def _shot(self) -> _Shot:
        """One particle anywhere."""
        if self._config.energy is None:
            pt, masses, etas = self.draw(1)
            mass, eta = float(masses[0]), float(etas[0])
        else:
            mass, eta = self._mass(), float(self._rng.uniform(*self._config.eta))
            pt = self._pt_of_energy(mass, eta, *self._config.energy)
        phi = self._rng.uniform(-np.pi, np.pi)
        return self._charge(), *_momentum(pt, eta, phi, mass), mass

    def _shots(self, rows: int, columns: int) -> list[_Shot]:
        """One particle in the middle half of each cell of a grid in η and φ, which is turned at random."""
        config, shots = self._config, []
        turn = self._rng.uniform(-np.pi, np.pi)
        height, width = (config.eta[1] - config.eta[0]) / rows, 2.0 * np.pi / columns
        for row in range(rows):
            for column in range(columns):
                eta = config.eta[0] + (row + self._rng.uniform(0.25, 0.75)) * height
                phi = turn + (column + self._rng.uniform(0.25, 0.75)) * width
                mass = self._mass()
                if config.energy is None:
                    pt = float(self._rng.uniform(*_pt_limits(config)))
                else:
                    pt = self._pt_of_energy(mass, eta, *config.energy)
                shots.append((self._charge(), *_momentum(pt, eta, phi, mass), mass))
        return shots

    def _mass(self) -> float:
        limits = self._config.mass
        return self._table_mass if limits is None else float(self._rng.uniform(*limits))

    def _charge(self) -> int:
        return self._config.pdg_id if self._rng.uniform() < 0.5 else self._anti

    def _pt_of_energy(self, mass: float, eta: float, least: float, most: float) -> float:
        energy = least * (most / least) ** self._rng.uniform()
        return float(np.sqrt(energy**2 - mass**2) / np.cosh(eta))


def settings(config: GunConfig | None) -> tuple[str, ...]:
    """What Pythia has to be told of a gun."""
    if config is None:
        return ()
    if config.bare:
        return ("ProcessLevel:all = off",)
    return (*_AS_DRAWN, *_NO_RECOIL)


def _pt_limits(config: GunConfig) -> tuple[float, float]:
    assert config.pt is not None
    return config.pt


def _momentum(pt: float, eta: float, phi: float, mass: float) -> tuple[float, float, float, float]:
    """px, py, pz and energy."""
    pz = pt * np.sinh(eta)
    energy = np.sqrt(pt**2 + pz**2 + mass**2)
    return float(pt * np.cos(phi)), float(pt * np.sin(phi)), float(pz), float(energy)


def _check_mass(config: GunConfig, entry: Any, data: Any, name: str) -> None:
    """UsageError for a mass that the particle cannot have: of its own, or below that of what it decays to."""
    own = float(entry.m0())
    channels = [entry.channel(number) for number in range(entry.sizeChannels())]
    open_ones = [channel for channel in channels if channel.onMode() != 0]
    if not (entry.mayDecay() and open_ones):
        if config.mass not in (None, (own, own)):
            raise UsageError(
                f"{name}: {config.pdg_id} does not decay, so that its mass is {own:g} GeV; leave out mass."
            )
        return
    needed = min(
        sum(float(data.mMin(channel.product(number))) or float(data.m0(channel.product(number)))
            for number in range(channel.multiplicity()))
        for channel in open_ones
    )  # fmt: skip
    least = own if config.mass is None else config.mass[0]
    if least < needed:
        advice = "give mass" if config.mass is None else "raise the lower limit of mass"
        raise UsageError(
            f"{name}: a mass of {least:g} GeV is less than the decay products of {config.pdg_id} have, "
            f"{needed:g} GeV; {advice}, or choose other decays in generator.settings."
        )
