"""Figures as pages hold them: PNG files alone, of a low resolution, since drawing is what takes time."""

from collections.abc import Iterator
from contextlib import contextmanager

import pytest
from matplotlib.figure import Figure


@contextmanager
def png_alone() -> Iterator[None]:
    """PDF files are written empty."""
    save = Figure.savefig

    def savefig(figure, path, **options):
        if options["format"] == "pdf":
            path.touch()
        else:
            save(figure, path, **{**options, "dpi": 50})

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(Figure, "savefig", savefig)
        yield
