"""Figures of merit, a file each: every module of this folder is imported and registers its own.

All by name: ``registry.figures_of``.
"""

from importlib import import_module
from pkgutil import iter_modules

from e2egraph.evaluation.metrics.figures.auc import AUC
from e2egraph.evaluation.metrics.figures.background_rejection import rejection_name
from e2egraph.evaluation.metrics.figures.signal_efficiency import EFFICIENCY, LOW_EFFICIENCY, LOW_MISTAG

for _module in iter_modules(__path__, f"{__name__}."):
    import_module(_module.name)

__all__ = ["AUC", "EFFICIENCY", "LOW_EFFICIENCY", "LOW_MISTAG", "rejection_name"]
