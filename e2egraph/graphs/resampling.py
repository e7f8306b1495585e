"""pT spectra: bring those of the other classes to the reference's, by dropping jets reproducibly or by weights."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from e2egraph.errors import InputError
from e2egraph.graphs.hashing import hash_unit
from e2egraph.tasks.task import Resampling

# Keeps this decision independent of the one about the split, which hashes the same event.
SALT = 0x7265_7361_6D70_6C65

# Share of the reference's jets that a pT bin needs to set the scale.
MINIMUM_SHARE = 0.01


def spectrum(pt: NDArray, resampling: Resampling) -> NDArray[np.int64]:
    """Jets in each pT bin; jets outside the edges count to the nearest bin."""
    return np.bincount(_bin(pt, resampling), minlength=len(resampling.pt_edges) - 1)


def bin_factors(spectra: dict[str, NDArray], resampling: Resampling) -> dict[str, NDArray[np.float64]]:
    """Class → its factor in each pT bin: the probability to keep a jet, or what to multiply its weight by.

    ``spectra``: class → sum of event weights in each bin.
    """
    return keep_probabilities(spectra, resampling) if resampling.method == "drop" else weights(spectra, resampling)


def keep_probabilities(spectra: dict[str, NDArray], resampling: Resampling) -> dict[str, NDArray[np.float64]]:
    """Class → probability to keep a jet in each pT bin; 1 for the reference class.

    For another class it is reference/class in each bin, scaled so that the largest is 1: the same shape with as many
    jets left as that allows. Bins with under 1% of the reference's jets do not set the scale (a handful of jets in a
    tail would cost most of the sample) and are capped at 1; bins where the reference has no jet keep none.
    """
    reference = spectra[resampling.reference]
    probabilities = {}
    for name, ratio in weights(spectra, resampling).items():
        if name == resampling.reference:
            probabilities[name] = ratio
            continue
        scale = ratio[reference >= MINIMUM_SHARE * reference.sum()].max(initial=0.0)
        if scale == 0.0:
            raise _nothing_shared(name, resampling)
        probabilities[name] = np.minimum(ratio / scale, 1.0)
    return probabilities


def weights(spectra: dict[str, NDArray], resampling: Resampling) -> dict[str, NDArray[np.float64]]:
    """Class → reference/class in each pT bin, 0 where either has no jet; 1 for the reference class."""
    reference = spectra[resampling.reference]
    ratios = {}
    for name, counts in spectra.items():
        if name == resampling.reference:
            ratios[name] = np.ones(len(counts))
            continue
        ratios[name] = np.divide(reference, counts, out=np.zeros(len(counts)), where=counts > 0)
        if not ratios[name].any():
            raise _nothing_shared(name, resampling)
    return ratios


def kept(
    pt: NDArray, identity: tuple[NDArray, ...], factors: NDArray[np.float64], resampling: Resampling
) -> NDArray[np.bool_]:
    """Jets [J] that stay, whatever the order. ``drop``: hash(run, lumi, event, jet) below the probability of their pT
    bin; ``reweight``: those of a factor above 0."""
    factor = factors[_bin(pt, resampling)]
    return factor > 0 if resampling.method == "reweight" else hash_unit(SALT, *identity) < factor


def weight_factors(pt: NDArray, factors: NDArray[np.float64] | None, resampling: Resampling | None) -> NDArray:
    """What multiplies the event weight of each jet [J]: 1 unless the spectrum is reweighted."""
    if resampling is None or factors is None or resampling.method == "drop":
        return np.ones(len(pt))
    return factors[_bin(pt, resampling)]


def _nothing_shared(name: str, resampling: Resampling) -> InputError:
    return InputError(
        f"resampling: no jet of class '{name}' shares a pT bin with '{resampling.reference}'; "
        "give more events, or set resampling=null."
    )


def _bin(pt: NDArray, resampling: Resampling) -> NDArray[np.int64]:
    edges = np.asarray(resampling.pt_edges)
    return np.clip(np.searchsorted(edges, pt, side="right") - 1, 0, len(edges) - 2)
