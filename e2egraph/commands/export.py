"""``e2egraph export``: run → ONNX bundle."""

from __future__ import annotations

from pathlib import Path

import click

from e2egraph.commands.console import FolderOrFile, done, example
from e2egraph.config import as_dict

# Real jets of each class that the parity gate compares.
JETS_OF_THE_PARITY_GATE = 32


@example("e2egraph export runs/gravnet --output exports/gravnet")
@click.command()
@click.argument("run", type=FolderOrFile)
@click.option("--output", required=True, type=FolderOrFile, help="Bundle folder to make.")
@click.option("--data", type=FolderOrFile, help="Data set whose jets the parity gate uses; the run's own by default.")
def export(run: Path, output: Path, data: Path | None) -> None:
    """Export a trained run to an ONNX bundle, if ONNX Runtime agrees with torch."""
    from e2egraph.data.padding import pad
    from e2egraph.export.bundle import BundleInfo
    from e2egraph.export.export import export_model
    from e2egraph.graphs.nodeselection import select_nodes
    from e2egraph.graphs.shards import first_jets
    from e2egraph.training.load import load_run

    model, about = load_run(run)
    selection = about.recipe.data.selection
    metrics = ("best_epoch", "validation_auc", "validation_loss", "training_jets", "jets_per_second")
    info = BundleInfo(
        model=about.model.name,
        model_config=as_dict(about.model),
        classes=tuple(about.data.classes),
        signal=about.data.signal,
        task=about.data.task,
        configuration=about.data.configuration,
        node_cap=about.node_cap,
        node_selection=selection,
        dataset_sha256=about.data.digest,
        metrics={name: about.summary[name] for name in metrics if name in about.summary},
        training={"recipe": as_dict(about.recipe), "seed": about.seed},
    )
    jets = first_jets(data or Path(about.data.folder), JETS_OF_THE_PARITY_GATE)
    report = export_model(model, info=info, sample=pad(select_nodes(jets, selection)), output=output)
    done(
        f"wrote {output}: logits of torch and ONNX Runtime differ by {report.largest_difference:.1e} at most over "
        f"{report.cases} cases",
        f"e2egraph predict {output} --data {data or 'data/top'} --output scores.parquet",
    )
