"""Every figure of ``metrics.json`` that comes from the scores of a set of jets."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from e2egraph.data.scores import Scores
from e2egraph.errors import InputError
from e2egraph.evaluation.compare.joined import equal_as_none
from e2egraph.evaluation.metrics.bins import metrics_in_bins, quantile_edges
from e2egraph.evaluation.metrics.calibration import accuracy, calibration
from e2egraph.evaluation.metrics.multiclass import one_vs_rest, pairwise
from e2egraph.evaluation.metrics.roc.curve import effective_number
from e2egraph.evaluation.metrics.sculpting import MassSculpting, mass_sculpting
from e2egraph.evaluation.metrics.tagging import TaggingMetrics, tagging_metrics
from e2egraph.tasks.objects.naming import ANY_OBJECT, ObjectName
from e2egraph.tasks.objects.objects import Binning

MASSES = ("softdrop_mass", "jet_mass")


@dataclass(frozen=True)
class MetricsReport:
    """``tagging`` (signal against all else), ``sculpting`` by mass variable, and all of it as ``content`` for JSON."""

    tagging: TaggingMetrics
    sculpting: dict[str, MassSculpting]
    content: dict[str, Any]


def metrics_report(
    scores: Scores,
    quantities: Mapping[str, NDArray],
    signal: str,
    bins: Mapping[str, Binning],
    objects: ObjectName = ANY_OBJECT,
) -> MetricsReport:
    """Of the jets of ``scores``, with their ``quantities`` ([J] each, those of ``bins`` and of ``MASSES`` that their
    kind of object has; 0 for all: not known). ``objects``: what limits call the jets.

    Effective numbers are those of jets of weight one that scatter like these (L. Kish, Survey Sampling, 1965, §11.7).
    What too few jets or unknown quantities forbid is None or absent, with the reason among ``limits``. InputError as
    ``metrics.check``.
    """
    number = scores.classes.index(signal)
    label = scores.jets["label"].astype(np.int64)
    is_signal, score = label == number, scores.probabilities[:, number]
    weight = scores.jets["weight"].astype(np.float64)
    tagging = tagging_metrics(is_signal, score, weight, objects)
    limits = list(tagging.limits)
    share, error = accuracy(label, scores.probabilities, weight)
    content: dict[str, Any] = {
        **tagging.content(),
        "accuracy": share,
        "accuracy_error": error,
        "calibration": asdict(calibration(is_signal, score, weight)),
        "weighted": equal_as_none(weight) is not None,
        "effective_signal_jets": effective_number(weight[is_signal]),
        "effective_background_jets": effective_number(weight[~is_signal]),
    }

    binned = {}
    for name, of in bins.items():
        values = np.abs(quantities[of.column]) if of.absolute else quantities[of.column]
        if np.isfinite(values).all() and (values != values[0]).any():
            binned[name] = values, quantile_edges(values)
        else:
            limits.append(f"no bins of {name}: the same for all {objects.many}, or not finite")
    found = metrics_in_bins(is_signal, score, binned, weight, objects) if binned else {}
    content["bins"] = {name: [asdict(one) for one in of_quantity] for name, of_quantity in found.items()}

    sculpting = {}
    for name in [name for name in MASSES if name in quantities]:
        background = quantities[name][~is_signal]
        if not background.any():
            limits.append(f"no sculpting of {name}: the data set holds none")
            continue
        try:
            sculpting[name] = mass_sculpting(
                background, score[~is_signal], weight[~is_signal], variable=name, objects=objects
            )
        except InputError as fault:
            limits.append(f"no sculpting of {name}: {str(fault).removesuffix('.')}")
    limits += [one.limit for one in sculpting.values() if one.limit is not None]
    content["mass_sculpting"] = {name: asdict(one) for name, one in sculpting.items()}

    if len(scores.classes) > 2:
        for key, function in (("one_vs_rest", one_vs_rest), ("pairwise", pairwise)):
            try:
                of_classes = function(label, scores.probabilities, scores.classes, weight)
                content[key] = {name: one.content() for name, one in of_classes.items()}
            except InputError as fault:
                limits.append(f"no {key.replace('_', ' ')} figures: {str(fault).removesuffix('.')}")
    content["limits"] = limits
    return MetricsReport(tagging, sculpting, content)
