"""An ablation made up by a formula, with every kind of entry in it."""

from __future__ import annotations

from e2egraph.evaluation.ablation.results import (
    SCHEMA_VERSION,
    Ablation,
    Cell,
    Contrast,
    Cost,
    DataSet,
    Failure,
    RunEntry,
)
from e2egraph.evaluation.ablation.rows import load_rows
from e2egraph.evaluation.compare.over_seeds import MeanFigure
from e2egraph.evaluation.metrics.figures import AUC, EFFICIENCY
from e2egraph.evaluation.metrics.registry import FIGURES
from e2egraph.evaluation.objectives.evaluation import ComparedFigure

MODELS = ("image", "graph_50%")
FIGURES_SHOWN = (
    ComparedFigure(AUC, "AUC", 4, highest=True, ratio=False),
    ComparedFigure(EFFICIENCY, "efficiency at 1%", 3, highest=True),
)


def made_ablation(**changes):
    rows = load_rows("published")
    sizes = [(row, 10_000) for row in rows] + [(rows[-1], jets) for jets in (2500, None)]
    cells, runs = [], []
    for place, (row, jets) in enumerate(sizes):
        for number, model in enumerate(MODELS):
            seeds = (1, 2, 3) if row.full else (1,)
            figures = {name: MeanFigure(None, None, None, None) for name in FIGURES}
            figures[AUC] = MeanFigure(0.9 + 0.008 * place + 0.001 * number, 0.0012, 0.001, 0.001 if row.full else None)
            figures[EFFICIENCY] = MeanFigure(0.3 + 0.03 * place, 0.02, 0.02, None)
            latency = None if (row.name, number) == ("pt", 1) else 1.5 / (1 + number) + 0.01 * place
            cost = Cost(row.name, model, 90_194, 1e8 / (1 + number), latency, 64, 400.0)
            learnt = 40_000 if jets is None else jets
            cells.append(Cell(row.name, model, jets, learnt, seeds, figures, 90_194, 159.4, cost))
            for seed in seeds:
                folder = f"runs/{row.name}/{model}/jets_{jets or 'all'}/seed_{seed}"
                plain = {name: figures[name].mean for name in FIGURES}
                errors = {name: figures[name].error for name in FIGURES}
                runs.append(
                    RunEntry(row.name, model, jets, seed, folder, (), plain, errors, 90_194, learnt, 6, 6, 0.98, 159.4,
                             600.0, "cpu")
                )  # fmt: skip

    def contrast(row, reference_row, model, reference, figure, p_value, log10):
        return Contrast(
            row, model, 10_000, (1,), reference_row, reference, 10_000, (1,), figure, -0.0051, 0.0012, 0.0012, None,
            "DeLong", p_value, log10, p_value, log10, None if figure == AUC else 0.95, 0.01,
        )  # fmt: skip

    content = {
        "schema_version": SCHEMA_VERSION,
        "e2egraph": "0",
        "command": "e2egraph ablate --models image,graph_50%",
        "task": "top",
        "classes": ("qcd", "top"),
        "objective": "classification (classes qcd, top)",
        "signal": "top",
        "figures": FIGURES_SHOWN,
        "best": "AUC",
        "recipe": "short",
        "recipe_settings": {"training": {"epochs": 6}},
        "settings": (),
        "models": MODELS,
        "reference": MODELS[0],
        "rows": rows,
        "training_jets": 10_000,
        "training_data": DataSet("train", "a", 40_000),
        "test_data": DataSet("test", "b", 20_000),
        "split": "test",
        "signal_jets": 7_000,
        "background_jets": 13_000,
        "weighted": False,
        "simulation": True,
        "resamples": 1000,
        "runs": tuple(runs),
        "cells": tuple(cells),
        "model_differences": (
            contrast("pt", "pt", MODELS[1], MODELS[0], AUC, 4.1e-9, -8.39),
            contrast("pt", "pt", MODELS[1], MODELS[0], EFFICIENCY, 2.2e-308, -412.0),
        ),
        "layer_differences": (contrast("pt-impact", "pt", MODELS[1], MODELS[1], AUC, None, None),),
        "failures": (Failure("pt", MODELS[1], None, 2, "not trained"),),
        "limits": ("pt: only one seed",),
        "machine": {"processor": "some"},
    }
    return Ablation(**(content | changes))
