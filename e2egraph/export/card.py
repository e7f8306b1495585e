"""``README.md`` of a bundle: the model card, all of it from ``metadata.json``."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any

import yaml

from e2egraph.detector.channels import pixel_detector
from e2egraph.export.bundle import CARD_FILE, MODEL_FILE, Metadata, Shift
from e2egraph.export.parity import TOLERANCE
from e2egraph.export.preprocess import variables_of
from e2egraph.tasks.nodeselection import NodeSelection, in_words
from e2egraph.tasks.outputs import Head

SIMULATED = (
    "The training objects are simulated (run number 1). What `e2egraph simulate` makes is a parametric detector "
    "simulation, not the CMS simulation: on CMS data or CMS simulation the figures of a model trained on it do not "
    "hold; train it again on such objects first."
)
NOT_SIMULATED = "The training objects are not simulated, or not all of them (run numbers other than 1)."
UNKNOWN = "The bundle does not say whether the training objects were simulated."

# Of the inputs, and of the heads of particle flow.
MEANING = {
    "points": "Δη, Δφ to the region's centre [rad]",
    "features": "raw node variables and the one-hot channel",
    "mask": "1 for a node, 0 for padding",
    "jet": "quantities of the object",
    "particle": "logits of each node",
    "class": "logits of each node's class",
    "momentum": "relative to each node",
    "pileup": "logit of the share of energy from pile-up",
}
# Where the region has no centre.
ABSOLUTE_POINTS = "η, φ [rad]"


def write_card(folder: Path, metadata: Metadata) -> None:
    """Write ``README.md`` into ``folder``."""
    (folder / CARD_FILE).write_text(card(metadata), encoding="utf-8", errors="surrogateescape")


def card(metadata: Metadata) -> str:
    """The model card as Markdown."""
    return (
        "\n\n".join(
            "\n".join(part)
            for part in (
                _head(metadata),
                _training(metadata),
                _metrics(metadata),
                _inputs(metadata),
                _checked(metadata),
                _variants(metadata),
                _limits(metadata),
                _use(metadata),
            )
            if part
        )
        + "\n"
    )


def _head(metadata: Metadata) -> list[str]:
    info = metadata.info
    description = str(info.configuration.get("description", "")).rstrip(".")
    task = f"`{info.task}`" + (f" ({description})" if description else "")
    return [
        f"# {info.model}",
        "",
        f"A network for the task {task}. {_outputs(metadata)} {metadata.parameters:,} parameters, ONNX operator set "
        f"{metadata.opset}, IR version {metadata.ir_version}, float32.",
        "",
        {True: SIMULATED, False: NOT_SIMULATED, None: UNKNOWN}[info.simulated],
    ]


def _outputs(metadata: Metadata) -> str:
    """What each head gives, columns in order."""
    words = []
    for head in metadata.outputs.heads:
        names = ", ".join(f"`{name}`" for name in head.tensors)
        words.append(f"{names}: {', '.join(_columns(head))}")
        if head.activation == "softmax" and metadata.info.signal in head.columns:
            words[-1] += f" (signal is {metadata.info.signal})"
    return f"Outputs, columns in order: {'; '.join(words)}."


def _meanings(head: Head) -> tuple[str, ...]:
    """What each of its tensors holds, whatever these are called."""
    if head.activation == "softmax":
        return ("class probabilities", "scores before softmax")
    return (MEANING.get(head.name, "of each node") if head.level == "node" else "in physical units",)


def _columns(head: Head) -> list[str]:
    units = head.units or ("",) * len(head.columns)
    return [f"{name} [{unit}]" if unit else name for name, unit in zip(head.columns, units, strict=True)]


def _training(metadata: Metadata) -> list[str]:
    info = metadata.info
    training = dict(info.training)
    lines = ["## Training", ""]
    lines += [f"- Data set: SHA-256 of its manifest `{info.dataset_sha256 or 'not known'}`"]
    lines += [f"- Task configuration: SHA-256 `{metadata.configuration_sha256}`, in full in `metadata.json`"]
    lines += [
        f"- {info.object_name.many.capitalize()} of {name}: {_counts(value)}"
        for name, value in dict(training.pop("jets", {})).items()
    ]
    commands: Sequence[str] = training.pop("commands", ())
    seed, recipe = training.pop("seed", None), training.pop("recipe", None)
    if seed is not None:
        lines.append(f"- Seed: {seed}")
    lines += [f"- {name}: {value}" for name, value in training.items()]
    lines.append("- Made with " + ", ".join(f"{name} {version}" for name, version in metadata.software.items()))
    if commands:
        lines += ["", "```", *commands, "```"]
    lines += ["", "`model.yaml`:", "", *_yaml(info.model_config)]
    return [*lines, "", "`recipe.yaml`:", "", *_yaml(recipe)] if recipe else lines


def _yaml(content: dict[str, Any]) -> list[str]:
    return ["```yaml", yaml.safe_dump(content, sort_keys=False).rstrip(), "```"]


def _counts(value: Any) -> str:
    return ", ".join(f"{number} {split}" for split, number in value.items()) if isinstance(value, dict) else str(value)


def _metrics(metadata: Metadata) -> list[str]:
    rows = [(f"`{name}`", f"{value:.6g}") for name, value in metadata.info.metrics.items()]
    return ["## Metrics", "", *_table(("figure", "value"), rows)] if rows else []


def _listed(settings: Mapping[str, Any]) -> str:
    """The settings that are set, on one line."""
    return ", ".join(f"`{name}` {value}" for name, value in settings.items() if value not in (None, {}))


def _inputs(metadata: Metadata) -> list[str]:
    info = metadata.info
    variables, region = variables_of(metadata.inputs), metadata.inputs.region
    meaning = MEANING | ({"points": ABSOLUTE_POINTS} if region.centre == "none" else {})
    rows = [
        (f"`{name}`", "×".join(map(str, shape)), meaning[name], ", ".join(variables[name]))
        for name, shape in metadata.tensors["inputs"].items()
    ]
    cuts = _listed(info.configuration.get("object") or {})
    selected = "all" if info.node_selection == NodeSelection() else in_words(info.node_selection)
    shapes = [
        f"`{name}` {'×'.join(map(str, metadata.tensors['outputs'][name]))} ({what})"
        for head in metadata.outputs.heads
        for name, what in zip(head.tensors, _meanings(head), strict=True)
    ]
    return [
        "## Inputs",
        "",
        *_table(("input", "shape", "what", "variables in order"), rows),
        "",
        "All float32, raw physical quantities (GeV, cm, rad): the network scales them itself.",
        f"Nodes lie in {region.describe()}. They are ordered by {metadata.node_order}; the first {info.cap} are read.",
        f"Nodes of the task: {in_words(info.task_selection)}. Selected of them: {selected}.",
        *_reading(metadata),
        *([f"Objects selected: {cuts}."] if cuts else []),
        f"Outputs: {', '.join(shapes)}.",
    ]


# Words for ``bundle.TRACK_DIRECTIONS``.
DIRECTIONS = {
    "ecal_point": "of the point where it meets the ECAL's surface",
    "ecal_momentum": "of its momentum where it meets the ECAL",
    "vertex": "of its momentum at the vertex",
}


def _reading(metadata: Metadata) -> list[str]:
    """How the training files were read, and the radii of layers of hits."""
    info, lines = metadata.info, []
    unknown = "not recorded (CMSSW's producer must be told)"
    taken = DIRECTIONS.get(info.track_direction or "", unknown)
    depth = unknown if info.seed_depth is None else f"depth {info.seed_depth}" if info.seed_depth else "depths summed"
    lines.append(f"Read in training: η and φ of a track {taken}; towers that compete for the seed: {depth}.")
    radii = {layer.name: layer.radius for layer in metadata.inputs.channels if layer.collection == "hits"}
    if radii:
        listed = ", ".join(f"{name} {radius:g}" for name, radius in radii.items())
        detector = pixel_detector(radii)
        lines.append(
            f"Radii of the layers of hits, where hits come as images [cm]: {listed}"
            + (f" (BPIX1–3: {detector})." if detector else ".")
        )
    return lines


# What ``node_gate`` finds.
OF_NODES = {
    "permuted": "Nodes in another order change outputs by at most, in units of their scale",
    "turned": "Share of nodes whose outputs change where φ is turned by π (those at the edges of bins and windows)",
    "sum_pt": "Relative difference of Σ pT of all candidates, ONNX Runtime to torch",
}


def _checked(metadata: Metadata) -> list[str]:
    found = metadata.parity
    kinds = {"softmax": "logits", "none": "predictions (in units of their scale)"}
    what = " and ".join(dict.fromkeys(kinds[head.activation] for head in metadata.outputs.heads))
    lines = [
        "## Checked",
        "",
        f"ONNX Runtime and torch agree over {found.get('cases')} cases ({found.get('jets')} objects, of them "
        f"{found.get('real_jets', 0)} of the data set; the rest random, on a lattice, or coincident, of 0 to "
        f"{metadata.info.cap} nodes): {what} differ by {found.get('largest_difference', 0.0):.1e} at most "
        f"({TOLERANCE:g} allowed), on {found.get('worst_case')}.",
    ]
    if found.get("real_jets") and found.get("largest_exchange") is not None:
        lines.append(
            "Those of the data set keep their order by signal probability, but for pairs closer than "
            f"{max(found['largest_exchange'], 1e-7):.0e}."
        )
    lines += [
        f"{words}: {found['nodes'][name]:.1e}." for name, words in OF_NODES.items() if name in found.get("nodes", {})
    ]
    return lines


def _variants(metadata: Metadata) -> list[str]:
    if not metadata.variants:
        return []
    rows = [
        (
            f"`{found.file}`",
            f"{found.bytes / 1e3:.0f} kB ({found.bytes / found.model_bytes:.2f})",
            "; ".join(shift_in_words(name, shift) for name, shift in found.shifts.items()) or "not measured",
            f"{found.speed_ratio:.2f}",
            f"{found.jets} ({found.split})",
        )
        for found in metadata.variants.values()
    ]
    head = ("file", f"size (over {MODEL_FILE})", "shift: largest, mean", "speed over float32", "compared")
    return [
        "## Variants",
        "",
        *_table(head, rows),
        "",
        "Speed: ONNX Runtime's CPU time, one object at a time, one thread, on the machine that exported.",
    ]


def shift_in_words(column: str, shift: Shift) -> str:
    """What a variant changes in one column, on one line."""
    unit = f" {shift.unit}" if shift.unit else ""
    words = f"{column}: {shift.largest_shift:.1e}, {shift.mean_shift:.1e}{unit}"
    if shift.auc is not None and shift.auc_float32 is not None:
        return f"{words}, AUC {shift.auc:.5f} ({shift.auc - shift.auc_float32:+.5f})"
    if shift.mae is not None and shift.mae_float32 is not None:
        return f"{words}, mean absolute error {shift.mae:.4g}{unit} ({shift.mae - shift.mae_float32:+.2g})"
    return f"{words}, neither AUC nor error measured"


def _limits(metadata: Metadata) -> list[str]:
    info = metadata.info
    lines = [
        "## Limits",
        "",
        "- Outputs mean what they say only for objects selected, with nodes selected and ordered, as above.",
        f"- Nodes beyond the first {info.cap} are not seen. An object without nodes gets score −1 for every class and "
        "NaN for every prediction.",
    ]
    if metadata.outputs.level == "node":
        lines[-1] = f"- Elements beyond the first {info.cap} are not seen. An event without elements has no particles."
        return [*lines, "- Candidates are those of the training's detector, pile-up and processes."]
    for head in metadata.outputs.heads:
        if head.activation == "softmax":
            lines.append(
                "- Class probabilities follow the class mixture of the training objects; calibrate them before they "
                "are read as such."
            )
        else:
            lines.append(
                f"- Predictions of {', '.join(head.columns)} follow the spectrum of the training objects: near its "
                "ends they are drawn to its middle."
            )
    return lines


def _use(metadata: Metadata) -> list[str]:
    variant = next(iter(metadata.variants), None)
    if metadata.outputs.level == "node":
        return [
            "## Use",
            "",
            "```",
            "e2egraph predict BUNDLE --data DATA --output candidates.parquet",
            "e2e_flow BUNDLE elements.bin       # C++, from elements: exports/cpp",
            "```",
            "",
            "`e2egraph export --layout cmssw` adds `model-cmssw.onnx`, which CMSSW's MLPFProducer can read.",
        ]
    lines = ["## Use", "", "```", "e2egraph predict BUNDLE --data DATA --output scores.parquet"]
    if variant:
        lines.append(f"e2egraph predict BUNDLE --data DATA --output scores.parquet --variant {variant}")
    return [
        *lines,
        "e2e_infer BUNDLE events.e2e        # C++, from detector deposits: exports/cpp",
        "```",
        "",
        "CMSSW reads `model.onnx` with `preprocess.json`; Triton `config.pbtxt`: exports/README.md of e2egraph.",
    ]


def _table(head: Sequence[str], rows: Iterable[Sequence[str]]) -> list[str]:
    lines = [head, ["---"] * len(head), *rows]
    return ["| " + " | ".join(line) + " |" for line in lines]
