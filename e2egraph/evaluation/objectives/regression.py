"""Judging a regression: response, resolution, bias and absolute errors, in bins and in two dimensions.

Objects whose target was drawn (domain continuation) are in none of the figures but those of the continuation itself.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import asdict, replace
from pathlib import Path
from typing import Any, ClassVar

import numpy as np
from numpy.typing import NDArray

from e2egraph.data.scores import Scores, output_columns
from e2egraph.data.table import read_table
from e2egraph.errors import InputError
from e2egraph.evaluation.compare.joined import aligned, equal_as_none
from e2egraph.evaluation.compare.paired_regression import PairedTarget, paired_regression
from e2egraph.evaluation.compare.paired_result import Contender, PairedResult
from e2egraph.evaluation.explain.chosen_jets import choose_by_error
from e2egraph.evaluation.metrics.registry import residual_figures
from e2egraph.evaluation.metrics.regression.bins import binned_regression
from e2egraph.evaluation.metrics.regression.matrix import true_against_predicted
from e2egraph.evaluation.metrics.regression.residuals import weighted_quantiles
from e2egraph.evaluation.metrics.regression.summary import FEWEST, RegressionMetrics, regression_metrics
from e2egraph.evaluation.objectives.evaluation import (
    Baseline,
    ComparedFigure,
    Evaluation,
    Measured,
    ReportParts,
    ShownJets,
)
from e2egraph.graphs.storage.columns import TARGET_PREFIX
from e2egraph.tasks.objectives.regression import Regression, Target

# Those of all figures that comparisons show.
COMPARED = ("mae", "resolution", "bias")

# What residuals are not binned in, unlike taggers.
PILE_UP = "n_pv"


class RegressionEvaluation(Evaluation):
    """Each target by itself; the figures of the first have plain names, those of others end in ``_TARGET``."""

    sections: ClassVar[tuple[str, ...]] = ("summary", "regression", "jets", "configuration", "provenance")
    objective: Regression

    @property
    def figures(self) -> tuple[ComparedFigure, ...]:
        found = residual_figures()
        return tuple(
            ComparedFigure(
                self._key(name, target),
                found[name].title if number == 0 else f"{found[name].title} of {target.name}",
                digits_of(target) if found[name].has_unit else found[name].digits,
                highest=bool(found[name].highest),
                unit=target.unit if found[name].has_unit else "",
                ratio=found[name].ratio,
            )
            for number, target in enumerate(self.objective.targets)
            for name in COMPARED
        )

    def measure(self, scores: Scores, quantities: Mapping[str, NDArray]) -> Measured:
        all_scores, real = scores, self._real(scores)
        scores, quantities = scores.take(real), {name: values[real] for name, values in quantities.items()}
        weight = scores.jets["weight"].astype(np.float64)
        content: dict[str, Any] = {}
        targets: dict[str, Any] = {}
        limits: list[str] = []
        for target in self.objective.targets:
            true, predicted = self._values(scores, target)
            found = regression_metrics(true, predicted, weight)
            content |= self._flat(found, target)
            limits += [f"{target.name}: {limit}" for limit in found.limits]
            by = {target.name: true}
            for name, of in self.bins.items():
                if of.column == PILE_UP:
                    continue
                by[name] = np.abs(quantities[of.column]) if of.absolute else quantities[of.column]
            bins = {}
            for name, values in by.items():
                if np.isfinite(values).all() and (values != values[0]).any():
                    bins[name] = [asdict(one) for one in binned_regression(true, predicted, values, weight)]
                else:
                    limits.append(f"no bins of {name}: the same for all objects, or not finite")
            targets[target.name] = {
                "unit": target.unit,
                "digits": digits_of(target),
                **found.figures,
                **{f"{name}_error": value for name, value in found.errors.items()},
                "left_out": found.left_out,
                "bins": bins,
                "true_against_predicted": asdict(true_against_predicted(true, predicted, weight)),
            }
            if target.drawn:
                targets[target.name]["continuation"] = self._continuation(all_scores, target)
        content |= {
            "targets": targets,
            "jets": len(scores),
            "weighted": equal_as_none(weight) is not None,
            "limits": limits,
        }
        first = self.objective.targets[0]
        error = _with_error(content, "mae", digits_of(first))
        line = f"mean absolute error of {first.name} {error} {first.unit}".strip()
        if content["resolution"] is not None:
            line += f", relative resolution {_with_error(content, 'resolution', 3)}"
        if first.drawn:
            found = targets[first.name]["continuation"]
            known = {name: one["beyond"] for name, one in found["classes"].items() if one["beyond"] is not None}
            shares = [f"{100 * share:.0f}% of {name}" for name, share in known.items()]
            if shares:
                line += f"; beyond {found['edge']:g} {first.unit}".rstrip() + f": {', '.join(shares)}"
        return Measured(content, targets, line, tuple(limits))

    def plots(self, measured: Measured, scores: Scores, model: str, folder: Path, label: str) -> None:
        from e2egraph.plots.regression import plot_regression_bins, plot_response, plot_true_against_predicted

        scores = scores.take(self._real(scores))
        for target in self.objective.targets:
            found = measured.values[target.name]
            true, predicted = self._values(scores, target)
            weight = scores.jets["weight"].astype(np.float64)
            response, matrix, bins = stems(target.name, first=target == self.objective.targets[0])
            plot_true_against_predicted(
                found["true_against_predicted"], target.name, target.unit, folder / matrix, label
            )
            above = true > 0
            ratio = predicted[above] / true[above]
            plot_response(ratio, weight[above], target.name, model, folder / response, label)
            plot_regression_bins(found["bins"], target.name, target.unit, folder / bins, label)

    def paired(
        self,
        scores: Sequence[Scores],
        names: Sequence[str],
        contenders: Sequence[Contender],
        reference: int,
        *,
        resamples: int,
    ) -> PairedResult:
        in_order = [one.take(self._real(one)) for one in aligned(scores, names)]
        first = in_order[0]
        targets = [
            PairedTarget(
                self._values(first, target)[0],
                np.stack([self._values(one, target)[1] for one in in_order]),
                key_suffix(self.objective, target),
                target.name,
            )
            for target in self.objective.targets
        ]
        weight = equal_as_none(first.jets["weight"])
        return paired_regression(targets, weight, contenders, reference, resamples=resamples, objects=self.objects)

    def report(self, metrics: Mapping[str, Any]) -> ReportParts:
        from e2egraph.evaluation.pages import regression_tables as tables

        about = f"predicts {', '.join(self.objective.target_names)}"
        return ReportParts(about=about, cards=tables.summary_cards(metrics, self.objects))

    def shown_jets(self, scores: Scores) -> ShownJets:
        target = self.objective.targets[0]
        digits, unit = digits_of(target), f" {target.unit}" if target.unit else ""
        true, predicted = self._values(scores, target)
        real = np.flatnonzero(self._real(scores))
        chosen = [replace(jet, place=int(real[jet.place])) for jet in choose_by_error(np.abs(predicted - true)[real])]
        places = [jet.place for jet in chosen]
        columns = output_columns(self.objective.outputs)
        return ShownJets(
            chosen=chosen,
            column=scores.columns.index(columns[0]),
            is_class=False,
            effect=f"{target.name}{f' [{target.unit}]' if target.unit else ''}",
            of=f"a larger {target.name}",
            headline=[f"{predicted[place]:.{digits}f}, true {true[place]:.{digits}f}{unit}" for place in places],
            outputs=[
                [
                    (what, f"{values[place]:.{digits_of(one)}f} {one.unit}".strip())
                    for one in self.objective.targets
                    for what, values in zip(
                        (f"true {one.name}", f"predicted {one.name}"), self._values(scores, one), strict=True
                    )
                ]
                for place in places
            ],
            strong=[False] * len(chosen),
            words=(
                f"Best {self.objects.many} have the smallest error of {target.name}, worst ones the largest, "
                "random ones are drawn with a fixed seed.",
            ),
        )

    def baseline(self, data: Path, split: str) -> Baseline | None:
        """The columns that targets name as their baseline, as they are; None unless all do."""
        columns = [target.baseline for target in self.objective.targets]
        named = [name for name in columns if name is not None]
        if len(named) < len(columns):
            return None
        table = read_table(data, extra=(*named, *(TARGET_PREFIX + name for name in self.objective.target_names)))
        members = table.jets_of(split)
        members = members[self._of_real_classes(table.columns["label"][members])]
        weight = table.columns["weight"][members].astype(np.float64)
        found: dict[str, Any] = {}
        for target, name in zip(self.objective.targets, named, strict=True):
            estimate = table.columns[name][members]
            if not estimate.any():
                raise InputError(
                    f"{data}: no usable '{name}' (its inputs did not hold it), which is the baseline of {target.name}; "
                    "build from inputs that have it, or compare without baseline."
                )
            true = table.columns[TARGET_PREFIX + target.name][members]
            found |= self._flat(regression_metrics(true, estimate, weight), target)
        return Baseline(" + ".join(dict.fromkeys(named)), found, 0, len(members))

    def _real(self, scores: Scores) -> NDArray[np.bool_]:
        """The objects that have the targets, [J]."""
        if not self.objective.drawn:
            return np.ones(len(scores), bool)
        return self._of_real_classes(scores.jets["label"])

    def _of_real_classes(self, label: NDArray) -> NDArray[np.bool_]:
        known = np.array([name in self.objective.real_classes for name in self.objective.classes])
        real: NDArray[np.bool_] = known[label]
        return real

    def _continuation(self, scores: Scores, target: Target) -> dict[str, Any]:
        """Where predictions go on beyond the real spectrum: of each drawn class the median and the share beyond the
        ``edge``, where its interval begins; and figures of the real objects that are not predicted there."""
        real = self._real(scores)
        true, predicted = self._values(scores, target)
        weight = scores.jets["weight"].astype(np.float64)
        limits = np.array(list(target.drawn.values()))
        below = bool(limits.mean() < np.average(true[real], weights=weight[real]))
        edge = float(limits.max() if below else limits.min())
        beyond = predicted < edge if below else predicted > edge
        classes = {}
        for name in target.drawn:
            members = (scores.jets["label"] == self.objective.classes.index(name)) & np.isfinite(predicted)
            classes[name] = {
                "objects": int(members.sum()),
                "median": _median(predicted[members], weight[members]),
                "beyond": _share(beyond[members], weight[members]),
            }
        kept = real & ~beyond
        enough = kept.sum() >= FEWEST and weight[kept].sum() > 0
        found = regression_metrics(true[kept], predicted[kept], weight[kept]).figures if enough else {}
        return {"edge": edge, "classes": classes, "kept": {"share": _share(~beyond[real], weight[real]), **found}}

    def _flat(self, found: RegressionMetrics, target: Target) -> dict[str, float | None]:
        """Figures and errors by their keys in ``metrics.json``."""
        flat: dict[str, float | None] = {}
        for name, value in found.figures.items():
            flat |= {self._key(name, target): value, f"{self._key(name, target)}_error": found.errors[name]}
        return flat

    def _key(self, name: str, target: Target) -> str:
        return name + key_suffix(self.objective, target)

    def _values(self, scores: Scores, target: Target) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
        """True and predicted values of a target, [J] each."""
        column = TARGET_PREFIX + target.name
        if column not in scores.jets or target.name not in scores.targets:
            raise InputError(f"the scores hold no true {target.name}; evaluate the run on a data set of its task.")
        predicted = scores.predictions[:, scores.targets.index(target.name)]
        return scores.jets[column].astype(np.float64), predicted.astype(np.float64)


def stems(name: str, *, first: bool) -> tuple[str, str, str]:
    """The files of a target's plots without suffix: its response, true against predicted, and its figures in bins."""
    end = "" if first else f"_{name}"
    return f"response{end}", f"true_predicted{end}", f"resolution{end}"


def key_suffix(objective: Regression, target: Target) -> str:
    """What tells the keys of a target from those of the first, which have none."""
    return "" if target.name == objective.targets[0].name else f"_{target.name}"


def digits_of(target: Target) -> int:
    """Digits after the point that show a ten-thousandth of the target's scale."""
    return max(0, min(6, 4 - round(math.log10(target.scale))))


def _share(members: NDArray[np.bool_], weight: NDArray) -> float | None:
    return float(np.average(members, weights=weight)) if weight.sum() > 0 else None


def _median(values: NDArray[np.float64], weight: NDArray[np.float64]) -> float | None:
    """Of the ``values`` [J] that weigh anything; None where none does."""
    values, weight = values[weight > 0], weight[weight > 0]
    if len(values) < 2:
        return float(values[0]) if len(values) else None
    return float(weighted_quantiles(values, weight, (0.5,))[0])


def _with_error(content: Mapping[str, Any], name: str, digits: int) -> str:
    return f"{content[name]:.{digits}f} ± {content[f'{name}_error']:.{digits}f}"
