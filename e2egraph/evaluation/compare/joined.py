"""Scores of several networks, jet by jet: the common ground of every paired comparison."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from e2egraph.data.scores import Scores
from e2egraph.errors import InputError
from e2egraph.evaluation.metrics.roc.curve import check
from e2egraph.graphs.storage.columns import TARGET_PREFIX

# What says which jet it is (DESIGN §4): unique in a data set.
KEY = ("run", "lumi", "event", "jet")


@dataclass(frozen=True)
class JoinedScores:
    """``scores`` [S, J]: the signal probabilities of S taggers on the same jets; ``names`` [S].

    ``is_signal`` [J]; ``weight`` [J], None where all weights are equal. ``places`` [J]: where the jets stand in the
    first file of scores, None where that is not known.
    """

    names: tuple[str, ...]
    is_signal: NDArray[np.bool_]
    weight: NDArray[np.float64] | None
    scores: NDArray[np.float64]
    places: NDArray[np.int64] | None = None


def join(scores: Sequence[Scores], names: Sequence[str], signal: str) -> JoinedScores:
    """Bring the jets of every one of ``scores`` into the order of the first; ``names`` say whose they are.

    ``signal``: the class whose probability counts. InputError as ``aligned`` and, for each of them, ``metrics.check``.
    """
    in_order, places = _aligned(scores, names)
    first = in_order[0]
    if signal not in first.classes:
        raise InputError(f"{names[0]}: no class '{signal}' among {', '.join(first.classes)}; give runs of one task.")
    column = first.classes.index(signal)
    is_signal, weight = first.jets["label"] == column, first.jets["weight"].astype(np.float64)
    rows = []
    for own, name in zip(in_order, names, strict=True):
        row = own.probabilities[:, column].astype(np.float64)
        try:
            check(is_signal, row, weight)
        except InputError as error:
            raise InputError(f"{name}: {error}") from error
        rows.append(row)
    return JoinedScores(tuple(names), is_signal, equal_as_none(weight), np.stack(rows), places)


def aligned(scores: Sequence[Scores], names: Sequence[str]) -> list[Scores]:
    """Every one of ``scores`` with its objects in the order of the first, those alone that all networks have seen
    nodes of; ``names`` say whose they are.

    InputError: other classes or quantities, other jets (with their number), a jet twice in files of different order, a
    jet with another label, weight or target.
    """
    return _aligned(scores, names)[0]


def _aligned(scores: Sequence[Scores], names: Sequence[str]) -> tuple[list[Scores], NDArray[np.int64]]:
    """``aligned``, and the places of its jets in the first of ``scores``."""
    first = scores[0]
    result = []
    for own, name in zip(scores, names, strict=True):
        for what in ("classes", "targets"):
            mine, theirs = getattr(own, what), getattr(first, what)
            if mine != theirs:
                raise InputError(
                    f"{name}: its {what} are {', '.join(mine) or 'none'}, those of {names[0]} "
                    f"{', '.join(theirs) or 'none'}; compare runs of one task."
                )
        order = _order(own, first, name, names[0])
        quantities = ["label", "weight", *(column for column in first.jets if column.startswith(TARGET_PREFIX))]
        for quantity in quantities:
            other = (
                int((own.jets[quantity][order] != first.jets[quantity]).sum()) if quantity in own.jets else len(first)
            )
            if other:
                raise InputError(
                    f"{name}: {other} of {len(first)} objects have another {quantity} than in {names[0]}; evaluate all "
                    "on one data set."
                )
        result.append(own.take(order))
    scored = np.logical_and.reduce([own.scored for own in result])
    if not scored.any():
        raise InputError(f"{', '.join(names)}: no object has nodes for all of them; compare runs of common inputs.")
    kept = np.flatnonzero(scored)
    return result if scored.all() else [own.take(kept) for own in result], kept


def same_objects(scores: Sequence[Scores]) -> bool:
    """Whether every one of ``scores`` has nodes of the same objects, in whatever order."""
    first = _keys(scores[0])[scores[0].scored]
    for own in scores[1:]:
        mine = _keys(own)[own.scored]
        if len(mine) != len(first):
            return False
        if (mine != first).any() and (np.sort(mine, order=KEY) != np.sort(first, order=KEY)).any():
            return False
    return True


def equal_as_none(weight: NDArray) -> NDArray[np.float64] | None:
    """None for weights [J] that are all equal: they change no figure, and what holds without weights may be used."""
    weight = np.asarray(weight, np.float64)
    return None if not len(weight) or (weight == weight[0]).all() else weight


def _order(own: Scores, first: Scores, name: str, first_name: str) -> NDArray[np.int64]:
    """Where each jet of ``first`` stands in ``own``."""
    mine, wanted = _keys(own), _keys(first)
    if len(mine) == len(wanted) and (mine == wanted).all():
        return np.arange(len(mine))
    for keys, whose in ((mine, name), (wanted, first_name)):
        twice = len(keys) - len(np.unique(keys))
        if twice:
            raise InputError(
                f"{whose}: {twice} objects are there twice (same {', '.join(KEY)}); evaluate the run again."
            )
    common = len(np.intersect1d(mine, wanted, assume_unique=True))
    if not len(mine) == len(wanted) == common:
        raise InputError(
            f"{name}: {len(mine) - common} objects that {first_name} has not, and {len(wanted) - common} of its "
            "objects missing; evaluate both on one data set and split."
        )
    sorted_mine = np.argsort(mine, order=KEY)
    result: NDArray[np.int64] = sorted_mine[np.argsort(np.argsort(wanted, order=KEY))]
    return result


def _keys(scores: Scores) -> NDArray:
    """The identity of each jet as one structured value, [J]."""
    keys = np.empty(len(scores), [(name, np.uint64) for name in KEY])
    for name in KEY:
        keys[name] = scores.jets[name]
    return keys
