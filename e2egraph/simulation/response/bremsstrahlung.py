"""Bremsstrahlung of electrons at high energy: how many photons, with which share of the electron's energy.

With y the photon's share of the electron's energy, an electron emits per radiation length

    dN/dy = (4/3 − 4/3·y + y²)/y

(complete screening; PDG Review of Particle Physics, "Passage of particles through matter", section "Bremsstrahlung
energy loss by e±", after Y. S. Tsai, Rev. Mod. Phys. 46 (1974) 815). As ∫ y dN = 1, the mean energy falls by a factor
of e in one radiation length. The suppression of the softest photons in dense matter and the photons' angles, of m/E,
are left out.
"""

from __future__ import annotations

import numpy as np

from e2egraph.detector.geometry import Floats, Integers


def photons_per_radiation_length(least: Floats) -> Floats:
    """Mean number of photons with shares from ``least`` (in (0, 1]) to 1 that an electron emits in one X₀."""
    return 4.0 / 3.0 * np.log(1.0 / least) - 4.0 / 3.0 * (1.0 - least) + 0.5 * (1.0 - least**2)


def draw_shares(least: Floats, rng: np.random.Generator) -> Floats:
    """A share of each electron's energy for one photon, from ``least`` to below 1, as dN/dy says."""
    share = np.empty(len(least))
    missing = np.arange(len(least))
    while len(missing):
        # 1/y is drawn exactly, what it overestimates is thinned out: nine in ten stay.
        y = least[missing] ** (1.0 - rng.uniform(size=len(missing)))
        kept = (rng.uniform(size=len(missing)) < 1.0 - y + 0.75 * y**2) & (y < 1.0)
        share[missing[kept]] = y[kept]
        missing = missing[~kept]
    return share


def radiate(number: Integers, least: Floats, rng: np.random.Generator) -> tuple[Integers, Floats, Floats]:
    """``number`` photons from each electron [N], one after the other.

    Returns each photon's electron [P], the share of the electron's initial momentum that it takes [P], and the share
    that each electron keeps [N].
    """
    owner = np.repeat(np.arange(len(number)), number)
    share = draw_shares(least[owner], rng)
    kept = np.log1p(-share)
    before = np.cumsum(kept) - kept
    begins = np.cumsum(number) - number
    before -= before[begins[owner]]
    return owner, share * np.exp(before), np.exp(np.bincount(owner, kept, minlength=len(number)))
