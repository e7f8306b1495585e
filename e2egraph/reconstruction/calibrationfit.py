"""Calibration of cluster energies with single particles: factors that bring the mean response to 1 at every energy."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from e2egraph.detector.geometry import Booleans, Floats, Integers
from e2egraph.errors import InputError
from e2egraph.reconstruction.rulesconfig import Calibration

# How much the mean response of a bin of energy counts in the fit for hadrons, next to the spread of single ones.
MEANS = 30.0
# Pull of neighbouring factors towards one another: bins with few particles do not run away.
STIFFNESS = 0.3
ROUNDS = 6
# Softer hadrons [GeV] often leave nothing at all: their mean response cannot be 1.
LEAST_HADRON = 4.0
SMALLEST, LARGEST = 0.8, 1.6


@dataclass(frozen=True)
class SingleParticles:
    """N particles alone: true ``energy`` [GeV] and ``eta``, and what their clusters hold in the ECAL and HCAL [GeV]."""

    energy: Floats
    eta: Floats
    ecal: Floats
    hcal: Floats

    def take(self, chosen: Booleans) -> SingleParticles:
        """The particles that a mask chooses."""
        return SingleParticles(self.energy[chosen], self.eta[chosen], self.ecal[chosen], self.hcal[chosen])


def fit_calibration(
    photons: SingleParticles, hadrons: SingleParticles, abs_eta: Sequence[float], energies: Sequence[float]
) -> Calibration:
    """Factors at ``energies`` [GeV] in regions up to each of ``abs_eta``. InputError: no particles in a region."""
    tables: dict[str, list[list[float]]] = {name: [] for name in ("photon", "ecal", "hcal", "ecal_alone", "hcal_alone")}
    below = 0.0
    for above in abs_eta:
        light, heavy = (
            part.take((np.abs(part.eta) >= below) & (np.abs(part.eta) < above)) for part in (photons, hadrons)
        )
        for what, part in (("photons", light), ("hadrons", heavy)):
            if len(part.energy) < 10 * len(energies):
                raise InputError(
                    f"{len(part.energy)} {what} at {below:g} ≤ |η| < {above:g} are too few; give more events."
                )
        photon = _photon_factors(light, np.asarray(energies))
        lone = _lone_factors(heavy, photon, np.asarray(energies))
        # What leaks out of the ECAL is made a neutral hadron: photons' clusters are to have the rest.
        tables["photon"].append(_photon_factors(light, np.asarray(energies), lone))
        tables["hcal_alone"].append(lone)
        alone = heavy.hcal <= 0
        ecal, hcal = _hadron_factors(heavy.take(~alone), np.asarray(energies))
        tables["ecal"].append(ecal)
        tables["hcal"].append(hcal)
        tables["ecal_alone"].append(_alone_factors(heavy.take(alone & (heavy.ecal > 0)), np.asarray(energies)))
        below = above
    return Calibration(abs_eta=list(abs_eta), energy=[float(each) for each in energies], **tables)


def _photon_factors(part: SingleParticles, energies: Floats, hcal_alone: list[float] | None = None) -> list[float]:
    """Factors of ECAL energies. ``hcal_alone``: of HCAL energies without tracks, which come on top."""
    factors = np.ones(len(energies))
    aim = part.energy - (0.0 if hcal_alone is None else _scaled(part.hcal, energies, hcal_alone))
    weight = _hats(np.maximum(part.energy, 1e-6), energies)
    for _ in range(ROUNDS):
        response = part.ecal * np.exp(np.interp(np.log(np.maximum(part.ecal, 1e-6)), np.log(energies), np.log(factors)))
        # Means within 30%: photons that leave the ECAL or convert unseen are no matter of its scale.
        ratio = response / np.maximum(aim, 1e-6)
        core = np.abs(ratio - 1.0) < 0.3
        mean = (weight * (ratio * core)[:, None]).sum(axis=0) / np.maximum((weight * core[:, None]).sum(axis=0), 1e-9)
        factors = np.where(mean > 0, factors / np.where(mean > 0, mean, 1.0), factors)
    return _rounded(factors)


def _hadron_factors(part: SingleParticles, energies: Floats) -> tuple[list[float], list[float]]:
    """Factors of ECAL and HCAL energies that are worked out together."""
    hats = _hats(part.ecal + part.hcal, energies)
    design = np.concatenate([hats * part.ecal[:, None], hats * part.hcal[:, None]], axis=1)
    found = _least_squares(design, part.energy, part.energy, energies)
    return _rounded(found[: len(energies)]), _rounded(found[len(energies) :])


def _lone_factors(part: SingleParticles, photons: list[float], energies: Floats) -> list[float]:
    """Factors of HCAL energies alone, where ECAL energies count as photons."""
    rest = part.energy - _scaled(part.ecal, energies, photons)
    return _rounded(_least_squares(_hats(part.hcal, energies) * part.hcal[:, None], rest, part.energy, energies))


def _scaled(energy: Floats, energies: Floats, factors: list[float]) -> Floats:
    """``energy`` [N] by ``factors`` at ``energies`` [GeV], as ``Calibration.factor`` reads them."""
    return energy * np.interp(np.log(np.maximum(energy, 1e-6)), np.log(energies), factors)


def _least_squares(design: Floats, aim: Floats, energy: Floats, energies: Floats) -> Floats:
    """Factors [F] with which ``design`` [N, F] gives the energies ``aim`` [N] of particles of true ``energy`` [N]: by
    least squares of the response, in which the mean of each bin of true energy counts most."""
    size = len(energies)
    design, aim = design / energy[:, None], aim / energy
    spread = np.sqrt(1.0 / energy + 0.05**2)
    rows, aims = [design / spread[:, None]], [aim / spread]
    bins = _hats(energy, energies)
    number = bins.sum(axis=0)
    some = (number > 5) & (energies >= LEAST_HADRON)
    scale = MEANS * np.sqrt(number[some])
    rows.append((bins.T @ design)[some] / number[some, None] * scale[:, None])
    aims.append((bins.T @ aim)[some] / number[some] * scale)
    stiff = STIFFNESS * np.sqrt(len(energy) / size)
    for first in range(0, design.shape[1], size):
        for place in range(first, first + size - 1):
            row = np.zeros(design.shape[1])
            row[place], row[place + 1] = stiff, -stiff
            rows.append(row[None])
            aims.append(np.zeros(1))
    found, *_ = np.linalg.lstsq(np.concatenate(rows), np.concatenate(aims), rcond=None)
    return np.clip(found, SMALLEST, LARGEST)


def _alone_factors(part: SingleParticles, energies: Floats) -> list[float]:
    """Hadrons seen by the ECAL alone are soft, or fluctuated down: by what their energies are too low, on average."""
    hats = _hats(part.ecal, energies)
    weight = hats.sum(axis=0)
    sums = (hats * (part.energy / np.maximum(part.ecal, 1e-6))[:, None]).sum(axis=0)
    factors = np.where(weight > 20, sums / np.maximum(weight, 1e-9), np.nan)
    known = np.flatnonzero(np.isfinite(factors))
    filled = np.interp(np.arange(len(energies)), known, factors[known]) if len(known) else np.ones(len(energies))
    return _rounded(np.clip(filled, 1.0, LARGEST))


def _hats(energy: Floats, energies: Floats) -> Floats:
    """Weights [N, K] of linear interpolation in the logarithm, constant beyond the ends."""
    place = np.interp(np.log(np.maximum(energy, 1e-6)), np.log(energies), np.arange(len(energies)))
    return np.maximum(0.0, 1.0 - np.abs(place[:, None] - np.arange(len(energies))[None]))


def _rounded(factors: Floats) -> list[float]:
    return [round(float(factor), 4) for factor in factors]


def response(part: SingleParticles, calibration: Calibration, kind: str) -> Floats:
    """Calibrated over true energy [N] of particles as ``photon`` or ``hadron``."""
    if kind == "photon":
        return calibration.photons(part.ecal, part.eta) / part.energy
    return calibration.hadrons(part.ecal, part.hcal, part.eta) / part.energy


def in_bins(energy: Floats, edges: Sequence[float]) -> Integers:
    """The bin of each energy; −1 outside."""
    place = np.searchsorted(edges, energy, side="right") - 1
    return np.where((place >= 0) & (place < len(edges) - 1), place, -1)
