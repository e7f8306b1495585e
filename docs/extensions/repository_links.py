"""Links between files of the repository, as links between pages: one text serves a code forge and the site.

A link to a file that is a page leads to that page; to another file, to a copy of it that the site holds; to a folder,
which the site has none of, nowhere: its words stay.
"""

from __future__ import annotations

import os
import re
from pathlib import Path

from sphinx.application import Sphinx

DOCS = Path(__file__).resolve().parents[1]
ROOT = DOCS.parent

# Files outside docs/ that are pages of the site: file → page.
PAGES = {
    "README.md": "index",
    "CHANGELOG.md": "generated/changelog",
    "CONTRIBUTING.md": "generated/contributing",
    "exports/README.md": "generated/bundles",
    "exports/flagship.md": "generated/how-it-was-found",
    "exports/pretrained/README.md": "generated/pretrained",
    "exports/cpp/README.md": "generated/cpp",
    "exports/cpp/EVENTS.md": "generated/event-files",
    "exports/cmssw/README.md": "generated/cmssw",
    "exports/weaver/README.md": "generated/weaver",
} | {
    path.relative_to(ROOT).as_posix(): f"generated/results/{path.stem}"
    for path in sorted((ROOT / "exports" / "results").glob("*.md"))
}

_LINK = re.compile(r"(!?)\[((?:[^][]|\[[^]]*\])*)\]\(([^()\s]+)\)")
_FENCE = re.compile(r"(^ *```.*?^ *```$)", flags=re.DOTALL | re.MULTILINE)


def rewritten(text: str, file: Path, page: str) -> str:
    """The Markdown of ``file`` with links as ``page`` (its name in the site) needs them; fenced code stays as it is."""

    def link(match: re.Match[str]) -> str:
        picture, words, target = match.groups()
        name, mark, heading = target.partition("#")
        if not name or re.match(r"[a-z]+:", name):
            return match.group(0)
        path = (file.parent / name).resolve()
        if path.is_dir():
            return words
        inside = path.relative_to(ROOT).as_posix() if path.is_relative_to(ROOT) else ""
        there = DOCS / f"{PAGES[inside]}.md" if inside in PAGES else path
        relative = os.path.relpath(there, (DOCS / page).parent)
        return f"{picture}[{words}]({relative}{mark}{heading})"

    parts = _FENCE.split(text)
    return "".join(part if place % 2 else _LINK.sub(link, part) for place, part in enumerate(parts))


def _read(app: Sphinx, page: str, content: list[str]) -> None:
    if not page.startswith("generated/"):  # those were rewritten when they were made
        content[0] = rewritten(content[0], DOCS / f"{page}.md", page)


def setup(app: Sphinx) -> dict[str, bool]:
    app.connect("source-read", _read)
    return {"parallel_read_safe": True, "parallel_write_safe": True}
