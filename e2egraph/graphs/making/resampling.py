"""Spectra: bring those of the classes to a reference's or to flat ones, by dropping objects reproducibly or by weights.

A spectrum is one- or two-dimensional (``Resampling.edges``); its bins are numbered row by row.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np
from numpy.typing import NDArray

from e2egraph.errors import InputError
from e2egraph.graphs.building.hashing import hash_unit
from e2egraph.tasks.task import Resampling

# Keeps this decision independent of the one about the split, which hashes the same event.
SALT = 0x7265_7361_6D70_6C65

FLAT = "flat"

# Share of the reference's objects (of an average bin, for flat spectra) that a bin needs to set the scale.
MINIMUM_SHARE, MINIMUM_SHARE_FLAT = 0.01, 0.25

Columns = Mapping[str, NDArray]


def spectrum(columns: Columns, resampling: Resampling) -> NDArray[np.float64]:
    """Sum of the generator's weights (``gen_weight``) in each bin; objects outside the edges count to the nearest."""
    weight = np.asarray(columns["gen_weight"], np.float64)
    found = np.bincount(_bin(columns, resampling), weight, number_of_bins(resampling))
    return np.asarray(found, np.float64)


def occupancy(columns: Columns, resampling: Resampling) -> NDArray[np.int64]:
    """Number of objects in each bin, whatever they weigh."""
    return np.bincount(_bin(columns, resampling), minlength=number_of_bins(resampling))


def check_spectra(
    spectra: Mapping[str, NDArray], objects: Mapping[str, NDArray[np.int64]], resampling: Resampling
) -> None:
    """InputError naming class and bin where there are ``objects`` whose weights (``spectra``) do not add up to more
    than 0, as weights of both signs may: no factor could make another spectrum of them, and they would be lost."""
    for name, sums in spectra.items():
        bad = np.flatnonzero((objects[name] > 0) & (sums <= 0))
        if len(bad):
            place = np.unravel_index(bad[0], [len(edges) - 1 for edges in resampling.edges.values()])
            where = " and ".join(
                f"{quantity} {edges[i]:g} to {edges[i + 1]:g}"
                for (quantity, edges), i in zip(resampling.edges.items(), place, strict=True)
            )
            raise InputError(
                f"resampling: the weights of the {objects[name][bad[0]]} objects of class '{name}' with {where} add up "
                f"to {sums[bad[0]]:g}; set wider resampling.edges, or resampling=null."
            )


def number_of_bins(resampling: Resampling) -> int:
    """Bins of the spectrum."""
    return int(np.prod([len(edges) - 1 for edges in resampling.edges.values()]))


def bin_factors(spectra: Mapping[str, NDArray], resampling: Resampling) -> dict[str, NDArray[np.float64]]:
    """Class → its factor in each bin: the probability to keep an object, or what to multiply its weight by.

    ``spectra``: class → sum of event weights in each bin.
    """
    return keep_probabilities(spectra, resampling) if resampling.method == "drop" else weights(spectra, resampling)


def keep_probabilities(spectra: Mapping[str, NDArray], resampling: Resampling) -> dict[str, NDArray[np.float64]]:
    """Class → probability to keep an object in each bin; 1 for the reference class.

    For another class it is reference/class in each bin, scaled so that the largest is 1: the same shape with as many
    objects left as that allows. Bins with under ``minimum_share`` of the reference's objects do not set the scale (a
    handful in a tail would cost most of the sample) and are capped at 1; bins where the reference has none keep none.
    With ``flat``, the reference of each class is the same number in every bin that it fills.
    """
    probabilities = {}
    for name, ratio in weights(spectra, resampling).items():
        if name == resampling.reference:
            probabilities[name] = ratio
            continue
        scale = ratio[_decides(spectra, name, resampling)].max(initial=0.0)
        if scale == 0.0:
            raise _nothing_shared(name, resampling)
        probabilities[name] = np.minimum(ratio / scale, 1.0)
    return probabilities


def weights(spectra: Mapping[str, NDArray], resampling: Resampling) -> dict[str, NDArray[np.float64]]:
    """Class → reference/class in each bin, 0 where either has no object; 1 for the reference class.

    With ``flat``, bins with under ``minimum_share`` of an average one are weighted as if they had that share, so that
    a handful of objects in a tail is not most of what is learnt; the class keeps its sum of weights.
    """
    ratios = {}
    for name, counts in spectra.items():
        if name == resampling.reference:
            ratios[name] = np.ones(len(counts))
            continue
        reference = _reference(spectra, name, resampling)
        ratios[name] = np.divide(reference, counts, out=np.zeros(len(counts)), where=counts > 0)
        if not ratios[name].any():
            raise _nothing_shared(name, resampling)
        if resampling.reference == FLAT:
            ratios[name] = np.minimum(ratios[name], 1.0 / _share(resampling))
            ratios[name] *= counts.sum() / (ratios[name] * counts).sum()
    return ratios


def kept(
    columns: Columns, classes: Sequence[str], factors: Mapping[str, NDArray], resampling: Resampling
) -> NDArray[np.bool_]:
    """Objects [J] (identity, ``label`` and the columns of the spectrum) that stay, whatever the order. ``drop``:
    hash(run, lumi, event, jet) below the probability of their bin; ``reweight``: those of a factor above 0."""
    factor = _factor(columns, classes, factors, resampling)
    if resampling.method == "reweight":
        return factor > 0
    identity = (columns[name] for name in ("run", "lumi", "event", "jet"))
    return hash_unit(SALT, *identity) < factor


def weight_factors(
    columns: Columns, classes: Sequence[str], factors: Mapping[str, NDArray], resampling: Resampling | None
) -> NDArray:
    """What multiplies the event weight of each object [J]: 1 unless spectra are reweighted."""
    if resampling is None or not factors or resampling.method == "drop":
        return np.ones(len(columns["label"]))
    return _factor(columns, classes, factors, resampling)


def _factor(
    columns: Columns, classes: Sequence[str], factors: Mapping[str, NDArray], resampling: Resampling
) -> NDArray[np.float64]:
    table = np.zeros((len(classes), number_of_bins(resampling)))
    for label, name in enumerate(classes):
        if name in factors:
            table[label] = factors[name]
    return table[columns["label"], _bin(columns, resampling)]


def _reference(spectra: Mapping[str, NDArray], name: str, resampling: Resampling) -> NDArray[np.float64]:
    if resampling.reference != FLAT:
        return np.asarray(spectra[resampling.reference], np.float64)
    counts = spectra[name]
    filled = counts > 0
    return np.where(filled, counts.sum() / max(int(filled.sum()), 1), 0.0)


def _decides(spectra: Mapping[str, NDArray], name: str, resampling: Resampling) -> NDArray[np.bool_]:
    """Bins that may set the scale of class ``name``."""
    if resampling.reference == FLAT:
        counts = spectra[name]
        return counts >= _share(resampling) * counts.sum() / max(int((counts > 0).sum()), 1)
    reference = spectra[resampling.reference]
    return reference >= _share(resampling) * reference.sum()


def _share(resampling: Resampling) -> float:
    if resampling.minimum_share is not None:
        return resampling.minimum_share
    return MINIMUM_SHARE_FLAT if resampling.reference == FLAT else MINIMUM_SHARE


def _nothing_shared(name: str, resampling: Resampling) -> InputError:
    return InputError(
        f"resampling: no object of class '{name}' shares a bin of {', '.join(resampling.edges)} with "
        f"'{resampling.reference}'; give more events, or set resampling=null."
    )


def _bin(columns: Columns, resampling: Resampling) -> NDArray[np.int64]:
    number: NDArray[np.int64] = np.zeros(len(columns["label"]), np.int64)
    for name, limits in resampling.edges.items():
        edges = np.asarray(limits)
        place = np.clip(np.searchsorted(edges, columns[name], side="right") - 1, 0, len(edges) - 2)
        number = number * (len(edges) - 1) + place
    return number
