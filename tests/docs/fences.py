"""The fenced blocks of README and documentation: which run, which are saved as a file, and which say why not."""

from __future__ import annotations

import re
import shlex
import textwrap
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

ROOT = Path(__file__).parents[2]

# Languages of what somebody could run or save.
RUNNABLE = ("bash", "sh", "python", "yaml", "cpp")

# Their commands took hours; that the commands and options are there is checked.
RECORDS = ("docs/results/", "exports/")

_FENCE = re.compile(r"^( *)(`{3,})([^`\n]*)\n(.*?)^\1\2 *$", flags=re.MULTILINE | re.DOTALL)


@dataclass(frozen=True)
class Fence:
    """``reason``: why it does not run, empty if it does; ``file``: the name that a reader saves it under, if any."""

    page: str
    line: int
    language: str
    reason: str
    file: str
    text: str

    def __str__(self) -> str:
        return f"{self.page}:{self.line}"


def pages() -> list[str]:
    """Every page that people write, by its path in the repository."""
    written = [ROOT / "README.md", ROOT / "CONTRIBUTING.md", *sorted((ROOT / "docs").rglob("*.md"))]
    written += sorted((ROOT / "exports").glob("*.md")) + sorted((ROOT / "exports").glob("*/README.md"))
    names = [path.relative_to(ROOT).as_posix() for path in written]
    return [name for name in names if not name.startswith("docs/generated/")]


def fences(page: str) -> Iterator[Fence]:
    """The fences of a page, in order, but directives."""
    content = (ROOT / page).read_text(encoding="utf-8")
    for match in _FENCE.finditer(content):
        _, _, info, text = match.groups()
        language, _, said = info.strip().partition(" ")
        if language.startswith("{"):
            continue
        named = dict(re.findall(r"^(no-run|file): *(.+)$", said.strip()))
        line = content.count("\n", 0, match.start()) + 1
        yield Fence(page, line, language, named.get("no-run", ""), named.get("file", ""), textwrap.dedent(text))


def commands(text: str) -> list[list[str]]:
    """The words of each command line of a shell fence, continued lines joined, comments left out."""
    joined = re.sub(r"\\\n\s*", " ", text)
    return [words for line in joined.splitlines() if (words := shlex.split(line, comments=True))]
