"""End-to-end tagging and regression on point clouds of detector deposits.

    import e2egraph as e2e

    e2e.build(task="top", samples={"top": "ttbar*.root", "qcd": "qcd*.root"}, output="data/top")
    run = e2e.train("gravnet", data="data/top", output="runs/g", epochs=5)
    print(e2e.evaluate(run).metrics["auc"])
    run.export("exports/g").score("events.root").to_table()

What is listed in ``__all__`` is the stable interface. Each name is imported when it is first used, so that ``import
e2egraph`` costs nothing and a bundle needs no torch.
"""

from importlib import import_module
from typing import TYPE_CHECKING, Any

__version__ = "0.2.0"

if TYPE_CHECKING:
    from e2egraph.api.ablate import ablate
    from e2egraph.api.build import build
    from e2egraph.api.compare import Compared, compare
    from e2egraph.api.dataset import collate
    from e2egraph.api.evaluate import evaluate
    from e2egraph.api.inspect import inspect
    from e2egraph.api.load import load
    from e2egraph.api.run import Run
    from e2egraph.api.simulate import simulate
    from e2egraph.api.tagger import Tagger
    from e2egraph.api.train import train
    from e2egraph.api.tune import tune
    from e2egraph.data.dataset import EpochBatches
    from e2egraph.data.dataset import JetDataset as Dataset
    from e2egraph.data.scores import Scores
    from e2egraph.errors import InputError, Stopped, UnfinishedError, UsageError

__all__ = [
    "Compared",
    "Dataset",
    "EpochBatches",
    "InputError",
    "Run",
    "Scores",
    "Stopped",
    "Tagger",
    "UnfinishedError",
    "UsageError",
    "ablate",
    "build",
    "collate",
    "compare",
    "evaluate",
    "inspect",
    "load",
    "simulate",
    "train",
    "tune",
]

# Name → where it stands, and what it is called there.
_HOMES = {
    "Compared": "e2egraph.api.compare:Compared",
    "Dataset": "e2egraph.data.dataset:JetDataset",
    "EpochBatches": "e2egraph.data.dataset:EpochBatches",
    "InputError": "e2egraph.errors:InputError",
    "Run": "e2egraph.api.run:Run",
    "Scores": "e2egraph.data.scores:Scores",
    "Stopped": "e2egraph.errors:Stopped",
    "Tagger": "e2egraph.api.tagger:Tagger",
    "UnfinishedError": "e2egraph.errors:UnfinishedError",
    "UsageError": "e2egraph.errors:UsageError",
    "ablate": "e2egraph.api.ablate:ablate",
    "build": "e2egraph.api.build:build",
    "collate": "e2egraph.api.dataset:collate",
    "compare": "e2egraph.api.compare:compare",
    "evaluate": "e2egraph.api.evaluate:evaluate",
    "inspect": "e2egraph.api.inspect:inspect",
    "load": "e2egraph.api.load:load",
    "simulate": "e2egraph.api.simulate:simulate",
    "train": "e2egraph.api.train:train",
    "tune": "e2egraph.api.tune:tune",
}


if not TYPE_CHECKING:  # with it, type checkers would take any name

    def __getattr__(name: str) -> Any:
        if name not in _HOMES:
            raise AttributeError(f"module 'e2egraph' has no attribute '{name}'")
        module, _, attribute = _HOMES[name].partition(":")
        value = getattr(import_module(module), attribute)
        globals()[name] = value
        return value


def __dir__() -> list[str]:
    return sorted([*__all__, "__version__"])
