"""Scores of several taggers, jet by jet: the common ground of every paired comparison."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from e2egraph.data.scores import Scores
from e2egraph.errors import InputError
from e2egraph.evaluation.metrics.roc import check

# What says which jet it is (DESIGN §4): unique in a data set.
KEY = ("run", "lumi", "event", "jet")


@dataclass(frozen=True)
class JoinedScores:
    """``scores`` [S, J]: the signal probabilities of S taggers on the same jets; ``names`` [S].

    ``is_signal`` [J]; ``weight`` [J], None where all weights are equal.
    """

    names: tuple[str, ...]
    is_signal: NDArray[np.bool_]
    weight: NDArray[np.float64] | None
    scores: NDArray[np.float64]


def join(scores: Sequence[Scores], names: Sequence[str], signal: str) -> JoinedScores:
    """Bring the jets of every one of ``scores`` into the order of the first; ``names`` say whose they are.

    ``signal``: the class whose probability counts. InputError: other classes, other jets (with their number), a jet
    twice in files of different order, a jet with another label or weight, and as ``metrics.check``.
    """
    first = scores[0]
    if signal not in first.classes:
        raise InputError(f"{names[0]}: no class '{signal}' among {', '.join(first.classes)}; give runs of one task.")
    column = first.classes.index(signal)
    is_signal, weight = first.jets["label"] == column, first.jets["weight"].astype(np.float64)
    rows = []
    for own, name in zip(scores, names, strict=True):
        if own.classes != first.classes:
            raise InputError(
                f"{name}: its classes are {', '.join(own.classes)}, those of {names[0]} {', '.join(first.classes)}; "
                "compare runs of one task."
            )
        order = _order(own, first, name, names[0])
        for quantity in ("label", "weight"):
            other = int((own.jets[quantity][order] != first.jets[quantity]).sum())
            if other:
                raise InputError(
                    f"{name}: {other} of {len(first)} jets have another {quantity} than in {names[0]}; evaluate both "
                    "on one data set."
                )
        row = own.probabilities[order, column].astype(np.float64)
        try:
            check(is_signal, row, weight)
        except InputError as error:
            raise InputError(f"{name}: {error}") from error
        rows.append(row)
    return JoinedScores(tuple(names), is_signal, equal_as_none(weight), np.stack(rows))


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
            raise InputError(f"{whose}: {twice} jets are there twice (same {', '.join(KEY)}); evaluate the run again.")
    common = len(np.intersect1d(mine, wanted, assume_unique=True))
    if not len(mine) == len(wanted) == common:
        raise InputError(
            f"{name}: {len(mine) - common} jets that {first_name} has not, and {len(wanted) - common} of its jets "
            "missing; evaluate both on one data set and split."
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
