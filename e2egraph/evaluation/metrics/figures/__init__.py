"""Figures of merit, a file each: every module of this folder is imported and registers its own.

``FIGURES``: those of a classification, by name; the others by ``registry.figures_of``.
"""

from importlib import import_module
from pkgutil import iter_modules

from e2egraph.evaluation.metrics.figures.auc import AUC
from e2egraph.evaluation.metrics.figures.background_rejection import rejection_name
from e2egraph.evaluation.metrics.figures.signal_efficiency import EFFICIENCY, LOW_EFFICIENCY, LOW_MISTAG
from e2egraph.evaluation.metrics.registry import roc_figures

for _module in iter_modules(__path__, f"{__name__}."):
    import_module(_module.name)

FIGURES = roc_figures()

__all__ = ["AUC", "EFFICIENCY", "FIGURES", "LOW_EFFICIENCY", "LOW_MISTAG", "rejection_name"]
