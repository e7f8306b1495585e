"""``preprocess.json``, as CMSSW's ``RecoBTag/FeatureTools`` reads it (cmssw.md). No torch in here.

Networks scale their inputs themselves, so that every variable passes as it is: median 0, factor 1, wide bounds. What
remains is the length: the first ``max_length`` nodes in canonical order, and at least one (a padded one, mask 0), as
CMSSW hands ONNX Runtime no empty tensors.
"""

from __future__ import annotations

import json
import re
from collections import Counter
from collections.abc import Iterable
from pathlib import Path
from typing import Any

from e2egraph.errors import InputError
from e2egraph.export.bundle import PREPROCESS_FILE, first_tensors, input_shapes, read_json
from e2egraph.tasks.inputs import POINT_NAMES, Inputs
from e2egraph.tasks.outputs import Outputs

# deep_helpers.cc replaces anything beyond ±1e32 before it clamps, so that these bounds never act.
BOUND = 1e32

# The key of the classes' labels: a parameter of that name takes them.
FLAVOURS = "flav_names"

IDENTITY: dict[str, float] = {
    "median": 0.0,
    "norm_factor": 1.0,
    "replace_inf_value": 0.0,
    "lower_bound": -BOUND,
    "upper_bound": BOUND,
    "pad": 0.0,
}


def variables_of(inputs: Inputs) -> dict[str, tuple[str, ...]]:
    """Input of a model → its variables, in order."""
    return {
        "points": POINT_NAMES,
        "features": inputs.feature_names,
        "mask": ("mask",),
        "jet": inputs.object_names,
    }


def preprocessing(inputs: Inputs, outputs: Outputs, cap: int, uses_jet: bool) -> dict[str, Any]:
    """The content of ``preprocess.json`` for a model that takes up to ``cap`` nodes of an object.

    Outputs are the probabilities and the quantities in physical units, not the logits. Where the first of them are
    probabilities, ``flav_names`` lists the labels of the classes in their order, as CMSSW's producer asks for them.
    """
    names, variables = list(input_shapes(inputs, uses_jet)), variables_of(inputs)
    content: dict[str, Any] = {"input_names": names, "output_names": first_tensors(outputs)}
    first = outputs.heads[0]
    if first.activation == "softmax":
        content[FLAVOURS] = [product_label(name) for name in first.columns]
    for name in names:
        shortest, longest = (1, 1) if name == "jet" else (1, cap)
        content[name] = {
            "var_names": list(variables[name]),
            "var_infos": {variable: dict(IDENTITY) for variable in variables[name]},
            "min_length": shortest,
            "max_length": longest,
        }
    return content


def product_label(name: str) -> str:
    """A class or quantity as CMSSW's products may be called: its letters and digits."""
    return re.sub("[^A-Za-z0-9]", "", name)


def check_names(inputs: Inputs, outputs: Outputs, uses_jet: bool) -> None:
    """InputError when CMSSW could not tell two outputs, or two variables of the inputs, apart by their names."""
    columns = [column for head in outputs.heads for column in head.columns]
    labels = [product_label(column) for column in columns]
    for column, label in zip(columns, labels, strict=True):
        if not label:
            raise InputError(
                f"output '{column}' has neither letters nor digits, of which CMSSW makes its name; rename it."
            )
    if (again := _repeated(labels)) is not None:
        same = ", ".join(f"'{column}'" for column, label in zip(columns, labels, strict=True) if label == again)
        raise InputError(f"outputs {same} would all be called '{again}' in CMSSW; give one of them another name.")
    variables = variables_of(inputs)
    names = [name for group in input_shapes(inputs, uses_jet) for name in variables[group]]
    if (again := _repeated(names)) is not None:
        raise InputError(
            f"two inputs have a variable '{again}', which CMSSW finds by its name alone; give one another name."
        )


def _repeated(names: Iterable[str]) -> str | None:
    return next((name for name, number in Counter(names).items() if number > 1), None)


def write_preprocess(folder: Path, content: dict[str, Any]) -> None:
    """Write ``preprocess.json`` into ``folder``."""
    (folder / PREPROCESS_FILE).write_text(json.dumps(content, indent=1) + "\n")


def read_cap(folder: Path, inputs: Inputs, outputs: Outputs, uses_jet: bool) -> int:
    """The most nodes that this bundle's model reads; InputError unless its ``preprocess.json`` is one of ours.

    Everything but the length must be what ``preprocessing`` writes: a scaling put in by hand would be applied by CMSSW
    and not by ``e2egraph predict``, and the two would differ in silence.
    """
    path = folder / PREPROCESS_FILE
    content = read_json(path)
    points = content.get("points")
    longest = points.get("max_length") if isinstance(points, dict) else None
    cap = longest if isinstance(longest, int) and longest >= 1 else None
    expected = {} if cap is None else preprocessing(inputs, outputs, cap, uses_jet)
    if FLAVOURS not in content:  # a bundle of before it was listed
        expected.pop(FLAVOURS, None)
    if cap is None or content != expected:
        raise InputError(f"{path}: not as e2egraph export writes it; export the run again.")
    return cap
