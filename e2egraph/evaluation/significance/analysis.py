"""What a counting experiment is: luminosity, cross-sections, background uncertainty and cuts; one YAML an analysis."""

from __future__ import annotations

from typing import Annotated

import numpy as np
from numpy.typing import NDArray
from pydantic import Field, model_validator

from e2egraph.config import configuration, load
from e2egraph.errors import InputError, UsageError
from e2egraph.evaluation.cuts import Cuts, parse_cuts
from e2egraph.evaluation.metrics.enough import ENOUGH_PASSING
from e2egraph.graphs.storage.manifest import Manifest

Floats = NDArray[np.float64]
Positive = Annotated[float, Field(gt=0, allow_inf_nan=False)]

# 1/fb in 1/pb.
PB_PER_FB = 1000.0


@configuration
class ClassYield:
    """Expected jets of one class: ``cross_section`` [pb] × jets per event × luminosity.

    ``acceptance``: jets an event that pass the task's selection, before any resampling. Or ``generated``: the number
    of events (sum of their weights) that the class was built from, from which the acceptance follows. Neither: the
    cross-section is that of the selected jets.

    ``cross_section`` [pb]: of the class's process. ``from_weights``: in its place, the objects' weights are what they
    count at 1/fb, as those of simulation with cross-sections are, and add up to it. ``generated``: events that the
    class was built from, in place of ``acceptance``.
    """

    cross_section: Positive | None = None
    acceptance: Positive | None = None
    generated: Positive | None = None
    from_weights: Annotated[bool, Field(strict=True)] = False

    @model_validator(mode="after")
    def _one_way(self) -> ClassYield:
        if self.acceptance is not None and self.generated is not None:
            raise ValueError("give acceptance or generated, not both")
        if self.from_weights == (self.cross_section is not None):
            raise ValueError("give either cross_section or from_weights: true")
        if self.from_weights and (self.acceptance is not None or self.generated is not None):
            raise ValueError("from_weights takes neither acceptance nor generated")
        return self


@configuration
class Analysis:
    """``luminosity`` [1/fb]; ``classes``: each class of the data set → its yield.

    ``background_uncertainty``: relative, of the whole background. ``selection``: cuts to compare the score with
    (``cuts``). ``minimum_background_jets``: a threshold that fewer jets of the evaluated sample pass gets no
    significance. ``note``: what to know about the numbers, repeated in the results.

    ``title``: of the results. ``luminosity`` [fb⁻¹]: integrated.
    """

    title: str
    luminosity: Positive
    classes: dict[str, ClassYield]
    background_uncertainty: Annotated[float, Field(ge=0, lt=10, allow_inf_nan=False)] = 0.0
    selection: str | None = None
    minimum_background_jets: Annotated[int, Field(ge=1)] = ENOUGH_PASSING
    note: str = ""


def load_analysis(name: str, manifest: Manifest) -> tuple[Analysis, Cuts | None]:
    """A shipped analysis or a YAML file, checked against the classes of a data set, and its cuts.

    UsageError: unknown, invalid, classes that are not those of the data set, or cuts that are not understood.
    """
    analysis = load(Analysis, "analyses", name)
    if set(analysis.classes) != set(manifest.classes):
        raise UsageError(
            f"analysis {name}: yields of {', '.join(analysis.classes)}, but the data set's classes are "
            f"{', '.join(manifest.classes)}; give each of them a cross_section."
        )
    cuts = None if analysis.selection is None else parse_cuts(analysis.selection, manifest.object_columns)
    return analysis, cuts


def expected_jets(
    analysis: Analysis, manifest: Manifest, label: NDArray, weight: NDArray, split: str
) -> tuple[Floats, list[str]]:
    """Expected jets that each jet [J] of a split stands for, and what limits them, as sentences.

    The jets of a class share σ·A·L by their weights: y_j = σ·A·L·w_j/Σw. With ``generated`` A is what the data set says
    passed, so that y_j is σ·L·w_j/N, N the generated events of this split, where nothing was resampled away. With
    ``from_weights`` y_j is L·w_j times all jets of the class over those of the split. InputError: a class
    without jets or weight in the split, a weight below 0, or what the data set cannot tell A or σ for.
    """
    weight = np.asarray(weight, np.float64)
    yields = np.zeros(len(weight))
    limits = []
    for number, name in enumerate(manifest.classes):
        members = np.asarray(label) == number
        total = weight[members].sum()
        if not total > 0:
            raise InputError(
                f"no objects of class '{name}' with weight in split '{split}'; evaluate one that has them."
            )
        if (weight[members] < 0).any():
            raise InputError(
                f"objects of class '{name}' in split '{split}' have weights below 0, and no yield; evaluate others."
            )
        entry = analysis.classes[name]
        if entry.cross_section is None:
            yields[members] = analysis.luminosity * weight[members] * _of_all(manifest, name, int(members.sum()))
            continue
        if entry.generated is None:
            acceptance = 1.0 if entry.acceptance is None else entry.acceptance
        else:
            acceptance = _acceptance(manifest, name, entry.generated, float(total), int(members.sum()))
        yields[members] = entry.cross_section * acceptance * analysis.luminosity * PB_PER_FB * weight[members] / total
    resampling = manifest.configuration.get("resampling")
    if resampling:
        limits.append(
            f"the objects' pT spectra were brought to that of {resampling['reference']} when the data set was built: "
            "yields are right in sum, their pT spectra are not (build with resampling=null for those)"
        )
    if split == "train":
        limits.append("these are training objects: their scores are too good")
    return yields, limits


def _of_all(manifest: Manifest, name: str, jets: int) -> float:
    """All objects of a class over the ``jets`` of the split; InputError where weights are not what they count."""
    if manifest.configuration.get("resampling"):
        raise InputError(
            f"analysis: 'from_weights' of class '{name}' says nothing where objects were resampled in pT; "
            "build the data set with resampling=null."
        )
    return sum(manifest.counts[name].values()) / jets


def _acceptance(manifest: Manifest, name: str, generated: float, total: float, jets: int) -> float:
    """Weight of the jets that passed the selection an event generated; ``total``: that of the split's ``jets``."""
    resampling = manifest.configuration.get("resampling")
    flow = manifest.cutflow.get(name, {})
    of_all_jets = total * sum(manifest.counts[name].values()) / jets
    if not resampling or resampling["reference"] == name:
        return of_all_jets / generated
    passed, left = [*flow.values()][-2:] if "resampling" in flow else (0, 0)
    if resampling.get("method") == "reweight" or not left:
        raise InputError(
            f"analysis: 'generated' of class '{name}' says nothing where its objects were reweighted in pT; give "
            "acceptance, or build the data set with resampling=null."
        )
    return of_all_jets * passed / left / generated
