"""Whether a process has 2 → 2 scatterings: limits on p̂T apply to no other, and Pythia ignores them there in silence."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

# Codes of soft QCD, elastic and diffractive scattering included (manual, "QCD Soft Processes"): its p̂T is that of
# multiparton interactions.
SOFT_QCD = range(101, 107)

# Hard processes that are looked at before none is said to be a 2 → 2 scattering.
MOST_LOOKED_AT = 1000


def is_two_to_two(info: Any) -> bool:
    """Whether the event that Pythia's ``info`` tells of is a 2 → 2 scattering of Pythia's own, but for soft QCD."""
    return info.nFinal() == 2 and not info.isLHA() and info.code() not in SOFT_QCD


def has_two_to_two(kind: type, lines: Sequence[str]) -> bool:
    """Whether a Pythia (class ``kind``) that is told ``lines`` generates any, seen from hard processes alone."""
    pythia = kind("", False)
    for line in (*lines, "Random:seed = 1", "PartonLevel:all = off", "HadronLevel:all = off"):
        pythia.readString(line)
    if not pythia.init():
        return False
    for _ in range(MOST_LOOKED_AT):
        if pythia.next() and is_two_to_two(pythia.infoPython()):
            return True
        if pythia.infoPython().isLHA():
            return False
    return False
