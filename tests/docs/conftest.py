"""A browser for the pages."""

from tests.evaluation.pages.conftest import browser

__all__ = ["browser"]
