"""Sections → one HTML file that needs nothing else: style, scripts, images and data are inside."""

from __future__ import annotations

import base64
import hashlib
import json
from dataclasses import dataclass
from importlib.resources import files
from pathlib import Path
from typing import Any

from e2egraph.evaluation.pages.elements import Section, escape
from e2egraph.files import write_text

REPORT_NAME = "report.html"

_STYLE = "report.css"

# Where the scripts look for the page's data.
DATA_ID = "report-data"


@dataclass(frozen=True)
class Page:
    """``notes`` stand below the title; ``data`` (JSON-ready) is what ``scripts``, files among the resources, read."""

    title: str
    notes: tuple[str, ...]
    sections: tuple[Section, ...]
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
    links = "".join(f'<a href="#{escape(one.identifier)}">{escape(one.title)}</a>' for one in page.sections)
    notes = "".join(f"<p>{escape(note)}</p>" for note in page.notes)
    body = "\n".join(one.html for one in page.sections)
    code = "".join(f"<script>{script}</script>\n" for script in scripts)
    return f"""<!DOCTYPE html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta http-equiv="Content-Security-Policy" content="{escape(policy)}">
<meta name="viewport" content="width=device-width, initial-scale=1">
<title>{escape(page.title)}</title>
<link rel="icon" href="data:,">
<style>{style}</style>
</head>
<body>
<header>
<h1>{escape(page.title)}</h1>
{notes}
<nav aria-label="Sections">{links}</nav>
</header>
<main>
{body}
</main>
<script type="application/json" id="{DATA_ID}">{embedded_json(page.data)}</script>
{code}</body>
</html>
"""


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
