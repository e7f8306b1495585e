"""Domain continuation: targets of classes that have none of their own are drawn when a data set is built.

A regression of a quantity that cannot be negative, such as a mass, piles its predictions up at zero. Objects without
that quantity (single photons, where the mass of merged pairs is learnt) labelled beyond the edge, evenly over an
interval, let it go on there, and the edge of the real spectrum comes out as it is (CMS, Phys. Rev. D 108 (2023) 052002,
arXiv:2204.12313). What is drawn depends on the object's identity alone, so that every build gives the same.
"""

from __future__ import annotations

import zlib
from collections.abc import Mapping, Sequence

import numpy as np
from numpy.typing import NDArray

from e2egraph.graphs.building.hashing import hash_unit

# Keeps this draw independent of those about the split and about resampling, which hash the same objects.
SALT = 0x636F_6E74_696E_7565

Limits = tuple[float, float]


def target_values(
    columns: Mapping[str, NDArray], name: str, classes: Sequence[str], drawn: Mapping[str, Limits]
) -> NDArray:
    """The target ``name`` of each object [J]: its column, or where its class is in ``drawn`` a number drawn evenly
    between these limits. ``columns``: identity, ``label`` (of ``classes``) and ``name``."""
    if not drawn:
        return columns[name]
    identity = (columns[each] for each in ("run", "lumi", "event", "jet"))
    place = hash_unit(SALT ^ zlib.crc32(name.encode()), *identity)
    values = columns[name].astype(np.float64)
    for each, (low, high) in drawn.items():
        members = columns["label"] == classes.index(each)
        values[members] = low + (high - low) * place[members]
    return values
