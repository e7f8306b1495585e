"""``README.md`` of a bundle: the model card, all of it from ``metadata.json``."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any

import yaml

from e2egraph.config import as_dict
from e2egraph.export.bundle import CARD_FILE, MODEL_FILE, Metadata
from e2egraph.export.parity import TOLERANCE

SIMULATED = (
    "The training jets are simulated (run number 1). What `e2egraph simulate` makes is a parametric detector "
    "simulation, not the CMS simulation: on CMS data or CMS simulation the figures of a model trained on it do not "
    "hold; train it again on such jets first."
)
NOT_SIMULATED = "The training jets are not simulated, or not all of them (run numbers other than 1)."
UNKNOWN = "The bundle does not say whether the training jets were simulated."

MEANING = {
    "points": "Δη, Δφ to the window's centre [rad]",
    "features": "raw node variables and the one-hot channel",
    "mask": "1 for a node, 0 for padding",
    "jet": "jet quantities",
}


def write_card(folder: Path, metadata: Metadata) -> None:
    """Write ``README.md`` into ``folder``."""
    (folder / CARD_FILE).write_text(card(metadata))


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
        f"A jet classifier for the task {task}. Outputs, in order: {', '.join(info.classes)}; signal is {info.signal}. "
        f"{metadata.parameters:,} parameters, ONNX operator set {metadata.opset}, IR version {metadata.ir_version}, "
        "float32.",
        "",
        {True: SIMULATED, False: NOT_SIMULATED, None: UNKNOWN}[info.simulated],
    ]


def _training(metadata: Metadata) -> list[str]:
    info = metadata.info
    training = dict(info.training)
    lines = ["## Training", ""]
    lines += [f"- Data set: SHA-256 of its manifest `{info.dataset_sha256 or 'not known'}`"]
    lines += [f"- Task configuration: SHA-256 `{metadata.configuration_sha256}`, in full in `metadata.json`"]
    lines += [f"- Jets of {name}: {_counts(value)}" for name, value in dict(training.pop("jets", {})).items()]
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
    variables = {"points": metadata.points, "features": metadata.features, "jet": metadata.jet_variables}
    rows = [
        (f"`{name}`", "×".join(map(str, shape)), MEANING[name], ", ".join(variables.get(name, ("mask",))))
        for name, shape in metadata.inputs.items()
    ]
    selection, cuts = _listed(as_dict(info.node_selection)), _listed(info.configuration.get("selection") or {})
    return [
        "## Inputs",
        "",
        *_table(("input", "shape", "what", "variables in order"), rows),
        "",
        "All float32, raw physical quantities (GeV, cm, rad): the network scales them itself.",
        f"Nodes of a jet are ordered by {metadata.node_order}; the first {info.max_nodes} are read.",
        "Nodes selected: " + (f"{selection}." if selection else "all that the task stores."),
        *([f"Jets selected: {cuts}."] if cuts else []),
        "Outputs: `softmax` (class probabilities) and `logits`, each batch×" + f"{len(info.classes)}.",
    ]


def _checked(metadata: Metadata) -> list[str]:
    found = metadata.parity
    lines = [
        "## Checked",
        "",
        f"ONNX Runtime and torch agree over {found.get('cases')} cases ({found.get('jets')} jets, of them "
        f"{found.get('real_jets', 0)} of the data set; the rest random, on a lattice, or coincident, of 0 to "
        f"{metadata.info.max_nodes} nodes): logits differ by {found.get('largest_difference', 0.0):.1e} at most "
        f"({TOLERANCE:g} allowed), on {found.get('worst_case')}.",
    ]
    if found.get("real_jets"):
        lines.append(
            "Jets of the data set keep their order by signal probability, but for pairs closer than "
            f"{max(found.get('largest_exchange', 0.0), 1e-7):.0e}."
        )
    return lines


def _variants(metadata: Metadata) -> list[str]:
    if not metadata.variants:
        return []
    rows = [
        (
            f"`{found.file}`",
            f"{found.bytes / 1e3:.0f} kB ({found.bytes / found.model_bytes:.2f})",
            f"{found.largest_shift:.1e}, {found.mean_shift:.1e}",
            "one class only" if found.auc is None or found.auc_float32 is None
            else f"{found.auc:.5f} ({found.auc - found.auc_float32:+.5f})",
            f"{found.speed_ratio:.2f}",
            f"{found.jets} ({found.split})",
        )
        for found in metadata.variants.values()
    ]  # fmt: skip
    head = ("file", f"size (over {MODEL_FILE})", "shift of signal probability: largest, mean", "AUC (change)",
            "speed over float32", "jets")  # fmt: skip
    return [
        "## Variants",
        "",
        *_table(head, rows),
        "",
        "Speed: ONNX Runtime's CPU time, one jet at a time, one thread, on the machine that exported.",
    ]


def _limits(metadata: Metadata) -> list[str]:
    info = metadata.info
    return [
        "## Limits",
        "",
        "- Scores mean what they say only for jets selected, windowed and ordered as above.",
        f"- Nodes beyond the first {info.max_nodes} are not seen. A jet without nodes gets a finite score of no use.",
        "- Class probabilities follow the class mixture of the training jets; calibrate them before they are read as "
        "such.",
    ]


def _use(metadata: Metadata) -> list[str]:
    variant = next(iter(metadata.variants), None)
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
