"""``e2egraph export``: run → ONNX bundle."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import click

from e2egraph.commands.console import FolderOrFile, done, example

if TYPE_CHECKING:
    from e2egraph.export.bundle import Variant

# Real jets of each class that the parity gate compares.
JETS_OF_THE_PARITY_GATE = 32


@example("e2egraph export runs/gravnet --output exports/gravnet --int8")
@click.command()
@click.argument("run", type=FolderOrFile)
@click.option("--output", required=True, type=FolderOrFile, help="Bundle folder to make.")
@click.option("--data", type=FolderOrFile, help="Data set whose jets the export checks on; the run's own by default.")
@click.option("--fp16", is_flag=True, help="Add model-fp16.onnx: weights and their products in float16.")
@click.option("--int8", is_flag=True, help="Add model-int8.onnx: the same in 8-bit integers, calibrated on --data.")
@click.option(
    "--track-direction",
    type=click.Choice(["ecal_point", "ecal_momentum", "vertex"]),
    help="Where η and φ of the tracks of the training files were taken (MLAnalyzer: ecal_momentum); recorded.",
)
@click.option(
    "--seed-depth",
    type=click.IntRange(0, 7),
    help="HCAL depth that their seeds were sought in (MLAnalyzer: 1), 0: depths summed; recorded.",
)
@click.option("--triton", type=FolderOrFile, metavar="REPOSITORY", help="Triton model repository to lay it out in too.")
def export(
    run: Path,
    output: Path,
    data: Path | None,
    fp16: bool,
    int8: bool,
    track_direction: str | None,
    seed_depth: int | None,
    triton: Path | None,
) -> None:
    """Export a trained run to an ONNX bundle, if ONNX Runtime agrees with torch.

    Variants are measured on jets of the test split: shift of the outputs, AUC or error, CPU time and size.

    How the training files were read goes into the bundle, and CMSSW's producer reads events the same way: known of
    files by e2egraph simulate, to be said of others.
    """
    from e2egraph.commands.run_description import describe_run
    from e2egraph.data.padding import pad
    from e2egraph.export.export import export_model, refuse_other_content
    from e2egraph.export.triton import check_repository, lay_out
    from e2egraph.graphs.making.nodeselection import select_nodes
    from e2egraph.graphs.storage.shards import first_jets
    from e2egraph.training.runs.load import load_run

    model, about = load_run(run)
    refuse_other_content(output)
    if triton is not None:
        check_repository(triton, about.model.name)
    folder = data or Path(about.data.folder)
    selection = about.recipe.data.nodes
    jets = first_jets(folder, JETS_OF_THE_PARITY_GATE)
    variants = [name for name, wanted in (("fp16", fp16), ("int8", int8)) if wanted]
    compared = None
    if variants:
        from e2egraph.export.variant_check import variant_jets

        compared = variant_jets(folder, selection)
    metadata = export_model(
        model,
        about.inputs,
        about.outputs,
        info=describe_run(about, folder, jets, track_direction, seed_depth),
        sample=pad(select_nodes(jets, selection, about.inputs.numbers), about.inputs),
        output=output,
        variants=variants,
        jets=compared,
    )
    for name, variant in metadata.variants.items():
        click.echo(_line(name, variant))
    unknown = [
        f"--{option}"
        for option, value in (
            ("track-direction", metadata.info.track_direction),
            ("seed-depth", metadata.info.seed_depth),
        )
        if value is None
    ]
    if unknown:
        click.echo(
            f"Note: how the training files were read is not recorded; give {' and '.join(unknown)}, or tell CMSSW's "
            "producer."
        )
    where = f"{output} and {lay_out(output, triton, about.model.name)}" if triton is not None else str(output)
    done(
        f"wrote {where}: outputs of torch and ONNX Runtime differ by {metadata.parity['largest_difference']:.1e} at "
        f"most over {metadata.parity['cases']} cases",
        f"e2egraph predict {output} --data {folder} --output scores.parquet",
    )


def _line(name: str, variant: Variant) -> str:
    from e2egraph.export.card import shift_in_words

    shifts = "; ".join(shift_in_words(column, shift) for column, shift in variant.shifts.items())
    return (
        f"{name}: shift at most and on average, of {shifts}, on {variant.jets} {variant.split} jets; "
        f"{variant.speed_ratio:.2f} times the speed, {variant.bytes / variant.model_bytes:.2f} of the size"
    )
