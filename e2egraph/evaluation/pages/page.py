"""Sections → one HTML file that needs nothing else: style, scripts, images and data are inside."""

from __future__ import annotations

import base64
import hashlib
import json
from collections.abc import Mapping
from dataclasses import dataclass
from importlib.resources import files
from pathlib import Path
from typing import Any

from markupsafe import Markup

from e2egraph.evaluation.pages.elements import Section
from e2egraph.evaluation.pages.templating import environment, rendered
from e2egraph.files import write_text

REPORT_NAME = "report.html"

_STYLE = "report.css"

# Where the scripts find the page's data.
DATA_ID = "report-data"


@dataclass(frozen=True)
class Page:
    """``notes`` stand below the title; ``sections`` by name, which links lead to; ``data`` (JSON-ready) is what
    ``scripts``, files among the resources, read."""

    title: str
    notes: tuple[str, ...]
    sections: Mapping[str, Section]
    scripts: tuple[str, ...]
    data: dict[str, Any]


def write_page(page: Page, path: Path) -> Path:
    """Write ``page`` to ``path``, whole or not at all."""
    write_text(path, render(page))
    return path


def render(page: Page) -> str:
    """The page as HTML.

    Its content security policy allows only the style and the scripts that it was made with, known by their SHA-256, and
    images inside the page: the browser then asks no network for anything and runs nothing that a name could smuggle in.
    """
    style = resource(_STYLE)
    scripts = [resource(name) for name in page.scripts]
    policy = (
        f"default-src 'none'; img-src data:; style-src {_digest(style)}; script-src "
        + (" ".join(map(_digest, scripts)) or "'none'")
        + "; base-uri 'none'; form-action 'none'"
    )
    return (
        environment()
        .get_template("page.html.j2")
        .render(
            title=page.title,
            notes=page.notes,
            sections=tuple(page.sections.items()),
            bodies={name: rendered(section) for name, section in page.sections.items()},
            policy=policy,
            data_id=DATA_ID,
            # The package's own style and scripts, and JSON that holds no markup: nothing to escape.
            style=Markup(style),
            scripts=[Markup(script) for script in scripts],
            data=Markup(embedded_json(page.data)),
        )
    )


def embedded_json(content: dict[str, Any]) -> str:
    """JSON for a script element: no ``<``, so that neither ``</script>`` nor ``<!--`` can stand in it.

    ValueError for a number that is not finite, which JSON cannot hold.
    """
    text = json.dumps(content, ensure_ascii=True, allow_nan=False, separators=(",", ":"))
    return text.replace("&", "\\u0026").replace("<", "\\u003c").replace(">", "\\u003e")


def resource(name: str) -> str:
    """A file of the package's resources."""
    return (files("e2egraph.evaluation.pages") / "resources" / name).read_text(encoding="utf-8")


def _digest(text: str) -> str:
    return "'sha256-" + base64.b64encode(hashlib.sha256(text.encode()).digest()).decode() + "'"
