"""A trained network → a bundle: the work of ``Run.export`` and ``e2egraph export``."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from torch import nn

from e2egraph.api.run_description import describe_run
from e2egraph.data.candidates import Method
from e2egraph.data.padding import pad
from e2egraph.errors import UsageError
from e2egraph.evaluation.predictions import check_classes, read_for
from e2egraph.export.bundle import DEEPEST, TRACK_DIRECTIONS, Metadata
from e2egraph.export.export import export_model, refuse_other_content
from e2egraph.export.triton import check_repository, lay_out
from e2egraph.folders import user_path
from e2egraph.graphs.storage.shards import first_jets
from e2egraph.training.runs.run_folder import RunInfo

# Real jets of each class that the parity gate compares.
JETS_OF_THE_PARITY_GATE = 32

# Further forms of the network → how particles are decoded there.
LAYOUTS: dict[str, Method] = {"cmssw": "hard", "cmssw-soft": "soft"}


@dataclass(frozen=True)
class Exported:
    """``metadata`` of the bundle in ``output``; ``data``: the data set it was checked on; ``triton``: the model's
    folder in the repository, where one was given."""

    output: Path
    metadata: Metadata
    data: Path
    triton: Path | None


def write_bundle(
    model: nn.Module,
    about: RunInfo,
    output: str | Path,
    *,
    data: str | Path | None = None,
    fp16: bool = False,
    int8: bool = False,
    track_direction: str | None = None,
    seed_depth: int | None = None,
    triton: str | Path | None = None,
    layout: str | None = None,
) -> Exported:
    """Write the network of a run as a bundle, if ONNX Runtime agrees with torch.

    ``model``: with its trained weights, in evaluation mode, on the CPU. ``about``: what the run's files say. ``data``:
    data set whose jets the export checks on, the run's own by default. ``fp16``, ``int8``: add these variants, measured
    on jets of the test split. ``track_direction``, ``seed_depth``: how the training files were read (``BundleInfo``).
    ``triton``: model repository to lay it out in too. ``layout``: ``cmssw`` adds the network in the form of CMSSW's
    MLPFProducer, ``cmssw-soft`` with soft decoding in it. Errors as ``export_model``; InputError for a data set that
    lacks what the network reads (``data.fit.check_inputs``), UsageError for another layout, track direction or depth.
    """
    if layout is not None and layout not in LAYOUTS:
        raise UsageError(f"unknown layout '{layout}'; choose one of {', '.join(LAYOUTS)}, or none.")
    if track_direction is not None and track_direction not in TRACK_DIRECTIONS:
        raise UsageError(f"unknown track_direction '{track_direction}'; choose one of {', '.join(TRACK_DIRECTIONS)}.")
    if seed_depth is not None and seed_depth not in range(DEEPEST + 1):
        raise UsageError(f"seed_depth={seed_depth}: give a depth from 1 to {DEEPEST}, or 0 for depths summed.")
    output = user_path(output)
    refuse_other_content(output)
    repository = None if triton is None else user_path(triton)
    if repository is not None:
        check_repository(repository, about.model.name)
        if output.resolve().is_relative_to((repository / about.model.name).resolve()):
            raise UsageError(
                f"--triton {repository}: its model {about.model.name} would be laid out in the bundle's folder; choose "
                "another repository or --output."
            )
    folder = user_path(about.data.folder if data is None else data)
    selection = about.recipe.data.nodes
    table = read_for(model, about, folder)
    variants = [name for name, wanted in (("fp16", fp16), ("int8", int8)) if wanted]
    compared = None
    if variants:
        from e2egraph.export.variant_check import variant_jets

        check_classes(about, folder, table.manifest)
        compared = variant_jets(table, selection, about.inputs.numbers)
    metadata = export_model(
        model,
        about.inputs,
        about.outputs,
        info=describe_run(about, folder, track_direction, seed_depth),
        sample=pad(table.select(first_jets(folder, JETS_OF_THE_PARITY_GATE), selection), table.inputs),
        output=output,
        variants=variants,
        jets=compared,
        cmssw=None if layout is None else LAYOUTS[layout],
    )
    laid = None if repository is None else lay_out(output, repository, about.model.name)
    return Exported(output, metadata, folder, laid)
