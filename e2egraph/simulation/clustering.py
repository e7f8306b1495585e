"""FastJet on flat arrays: all rows (events or jets) in one call, without a Python object for each particle."""

from __future__ import annotations

import contextlib
from dataclasses import dataclass
from typing import Any

import awkward as ak
import numpy as np

from e2egraph.detector.geometry import Booleans, Floats, Integers
from e2egraph.errors import InputError


@dataclass(frozen=True)
class Constituents:
    """What J jets are made of, P particles in all, jet after jet: ``counts`` [J], and px, py, pz and energy [GeV] as
    the rows of ``momenta`` [4, P]."""

    counts: Integers
    momenta: Floats

    def take(self, chosen: Booleans) -> Constituents:
        """The constituents of the jets that a mask [J] chooses."""
        return Constituents(self.counts[chosen], self.momenta[:, np.repeat(chosen, self.counts)])


def clustered(parts: Constituents, algorithm: int, radius: float) -> Any:
    """FastJet's clustering of the particles of each row (an event or a jet) of ``parts``, all rows in one call.

    InputError when a momentum is not finite: FastJet would end the process.
    """
    fastjet = library()
    bad = np.flatnonzero(~np.isfinite(parts.momenta).all(axis=0))
    if len(bad):
        row = int(np.searchsorted(np.cumsum(parts.counts), bad[0], side="right"))
        raise InputError(
            f"momenta of {len(bad)} particles are not finite, first in row {row} of {len(parts.counts)} that jets are "
            "made of; make the file of these particles again."
        )
    names = ("px", "py", "pz", "E")
    record = ak.contents.RecordArray([ak.contents.NumpyArray(row) for row in parts.momenta], names)
    offsets = ak.index.Index64(np.concatenate([[0], np.cumsum(parts.counts)]))
    rows = ak.Array(ak.contents.ListOffsetArray(offsets, record))
    return fastjet.ClusterSequence(rows, fastjet.JetDefinition(algorithm, radius))


def inclusive_jets(sequence: Any, least: float) -> tuple[Integers, Floats]:
    """The row of each jet [J], rising, and the four-momenta [4, J] of the jets of a clustering with pT above ``least``
    [GeV]."""
    found = sequence.inclusive_jets(min_pt=least)
    sizes = ak.to_numpy(ak.num(found))
    return np.repeat(np.arange(len(sizes)), sizes), momenta_of(found)


def momenta_of(jets: ak.Array) -> Floats:
    """The four-momenta [4, J] of FastJet's jets of many rows."""
    flat = ak.flatten(jets, axis=1)
    return np.stack([ak.to_numpy(flat[name]) for name in ("px", "py", "pz", "E")])


def kinematics(momenta: Floats) -> tuple[Floats, Floats, Floats, Floats]:
    """pT, η, φ and mass of four-momenta [4, …]."""
    px, py, pz, energy = momenta
    pt = np.hypot(px, py)
    mass2 = energy**2 - px**2 - py**2 - pz**2
    return pt, np.arcsinh(pz / pt), np.arctan2(py, px), np.sqrt(np.maximum(mass2, 0.0))


def library() -> Any:
    """The module fastjet, without its banner; InputError when it is not installed."""
    try:
        import fastjet
    except ImportError as error:
        raise InputError(
            "clustering of jets needs FastJet, which is not installed; install it with pip install 'e2egraph[sim]'."
        ) from error
    with contextlib.suppress(AttributeError):
        # FastJet (M. Cacciari, G. Salam and G. Soyez, arXiv:1111.6097) would print a banner into the progress bar.
        fastjet._swig.ClusterSequence.set_fastjet_banner_stream(None)
    return fastjet
