"""``e2egraph export``: run → ONNX bundle."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import click

from e2egraph.commands.console import FolderOrFile, OutputFolder, done, example

if TYPE_CHECKING:
    from e2egraph.export.bundle import Variant


@example("e2egraph export runs/gravnet --output exports/gravnet --int8")
@click.command()
@click.argument("run", type=FolderOrFile)
@click.option("--output", required=True, type=OutputFolder(), help="Bundle folder to make.")
@click.option("--data", type=FolderOrFile, help="Data set that the export is checked on; the run's own by default.")
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
@click.option(
    "--triton", type=OutputFolder(), metavar="REPOSITORY", help="Triton model repository to lay it out in too."
)
@click.option(
    "--layout", type=click.Choice(["cmssw", "cmssw-soft"]), help="Add model-cmssw.onnx, which MLPFProducer can read."
)
def export(
    run: Path,
    output: Path,
    data: Path | None,
    fp16: bool,
    int8: bool,
    track_direction: str | None,
    seed_depth: int | None,
    triton: Path | None,
    layout: str | None,
) -> None:
    """Export a trained run to an ONNX bundle, if ONNX Runtime agrees with torch.

    Variants are measured on jets of the test split: shift of the outputs, AUC or error, CPU time and size.

    --layout cmssw is for particle flow (objective nodes): names, ranks and order of the tensors that CMSSW's
    MLPFProducer reads. cmssw-soft makes its hard decoding the soft one of e2egraph predict.

    How the training files were read goes into the bundle, and CMSSW's producer reads events the same way: known of
    files by e2egraph simulate, to be said of others.
    """
    from e2egraph.api.export import write_bundle
    from e2egraph.api.run import Run

    trained = Run(run)
    exported = write_bundle(
        trained.network,
        trained.info,
        output,
        data=data,
        fp16=fp16,
        int8=int8,
        track_direction=track_direction,
        seed_depth=seed_depth,
        triton=triton,
        layout=layout,
    )
    metadata = exported.metadata
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
    result = "candidates.parquet" if metadata.outputs.level == "node" else "scores.parquet"
    where = str(output) if exported.triton is None else f"{output} and {exported.triton}"
    done(
        f"wrote {where}: outputs of torch and ONNX Runtime differ by {metadata.parity['largest_difference']:.1e} at "
        f"most over {metadata.parity['cases']} cases",
        *("e2egraph", "predict", output, "--data", exported.data, "--output", result),
    )


def _line(name: str, variant: Variant) -> str:
    from e2egraph.export.card import shift_in_words

    shifts = "; ".join(shift_in_words(column, shift) for column, shift in variant.shifts.items())
    return (
        f"{name}: shift at most and on average, of {shifts}, on {variant.jets} {variant.split} objects; "
        f"{variant.speed_ratio:.2f} times the speed, {variant.bytes / variant.model_bytes:.2f} of the size"
    )
