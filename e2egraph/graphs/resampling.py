"""pT resampling: drop jets of the other classes until their spectra follow the reference's, reproducibly."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from e2egraph.errors import InputError
from e2egraph.graphs.hashing import hash_unit
from e2egraph.graphs.task import Resampling

# Keeps this decision independent of the one about the split, which hashes the same event.
SALT = 0x7265_7361_6D70_6C65

# Share of the reference's jets that a pT bin needs to set the scale.
MINIMUM_SHARE = 0.01


def spectrum(pt: NDArray, resampling: Resampling) -> NDArray[np.int64]:
    """Jets in each pT bin; jets outside the edges count to the nearest bin."""
    return np.bincount(_bin(pt, resampling), minlength=len(resampling.pt_edges) - 1)


def keep_probabilities(spectra: dict[str, NDArray[np.int64]], resampling: Resampling) -> dict[str, NDArray[np.float64]]:
    """Class → probability to keep a jet in each pT bin; 1 for the reference class.

    For another class it is reference/class in each bin, scaled so that the largest is 1: the same shape with as many
    jets left as that allows. Bins with under 1% of the reference's jets do not set the scale (a handful of jets in a
    tail would cost most of the sample) and are capped at 1; bins where the reference has no jet keep none.
    """
    reference = spectra[resampling.reference]
    probabilities = {}
    for name, counts in spectra.items():
        if name == resampling.reference:
            probabilities[name] = np.ones(len(counts))
            continue
        ratio = np.divide(reference, counts, out=np.zeros(len(counts)), where=counts > 0)
        scale = ratio[reference >= MINIMUM_SHARE * reference.sum()].max(initial=0.0)
        if scale == 0.0:
            raise InputError(
                f"resampling: no jet of class '{name}' shares a pT bin with '{resampling.reference}'; "
                "give more events, or set resampling=null."
            )
        probabilities[name] = np.minimum(ratio / scale, 1.0)
    return probabilities


def kept(
    pt: NDArray, identity: tuple[NDArray, ...], probabilities: NDArray[np.float64], resampling: Resampling
) -> NDArray[np.bool_]:
    """Jets [J] that stay: hash(run, lumi, event, jet) below the probability of their pT bin, whatever the order."""
    return hash_unit(SALT, *identity) < probabilities[_bin(pt, resampling)]


def _bin(pt: NDArray, resampling: Resampling) -> NDArray[np.int64]:
    edges = np.asarray(resampling.pt_edges)
    return np.clip(np.searchsorted(edges, pt, side="right") - 1, 0, len(edges) - 2)
