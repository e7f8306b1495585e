"""Pages that are made when the site is built, in ``docs/generated``: every command, configuration key and function,
and the texts that lie next to what they are about."""

from __future__ import annotations

import re
from collections.abc import Iterator

from repository_links import DOCS, PAGES, ROOT, rewritten
from sphinx.application import Sphinx

from e2egraph.api.configurations import Kind, kinds
from e2egraph.descriptions import Key

PREFIX = "generated/"
FOLDER = DOCS / PREFIX

# What each kind of file is for, above its keys.
ABOUT = {
    "task": "What is selected, its region, what networks read, truth, what is learnt, weights and splits.",
    "samples": "Files of samples with cross-sections: `build-graphs --samples FILE`.",
    "images": "Planes of image files, in the files' order: `--image-preset`.",
    "model": "A network and its options. Options differ from network to network and are listed by model below.",
    "recipe": "How a network is trained and how objects are read: `train --recipe`.",
    "search": "What `tune --space` searches: a file of keys, each with its choices or its interval.",
    "analysis": "A counting experiment: `evaluate --analysis`.",
    "ablation": "Combinations of inputs: `ablate --rows`.",
    "process": "What is generated: `simulate --process`. Keys of `--set` begin with `process.`.",
    "detector": "The parametric detector: `simulate --detector`. Keys of `--set` begin with `detector.`.",
    "particleflow": "Constants of rule-based particle flow: `simulate --set detector.candidates.rules=FILE`.",
}


def configuration_page(name: str, kind: Kind) -> str:
    """All keys of a kind of configuration, and what is shipped of it."""
    lines = [f"# {name}", "", ABOUT[name], "", f"Read by `e2egraph {kind.used_by}`. The same list in a terminal:", ""]
    lines += ["```bash", f"e2egraph config show {name}", "```", ""]
    lines += _key_table(kind.keys(None))
    if kind.names:
        where = f"configs/{kind.folder}" if kind.folder else "configs"
        lines += ["", "## Shipped", "", f"In `{where}/`:", "", "| name | what it is |", "|---|---|"]
        lines += [f"| `{each}` | {_cell(kind.about(each))} |" for each in kind.names]
    if name == "model":
        for each in kind.names:
            options = [key for key in kind.keys(each) if key.name.startswith("options.")]
            lines += ["", f"## {each}", "", _cell(kind.about(each)), "", *_key_table(options, with_values=True)]
    return "\n".join(lines) + "\n"


def _key_table(keys: Iterator[Key] | list[Key], *, with_values: bool = False) -> list[str]:
    titles = ["key", "meaning", "unit", "default", *(["here"] if with_values else [])]
    lines = [":::{container} keys", "", "| " + " | ".join(titles) + " |", "|---" * len(titles) + "|"]
    for key in keys:
        default = "required" if key.default is None else _code(key.default)
        values = [_code(key.value or "")] if with_values else []
        cells = [f"`{key.name}`", _cell(key.description.meaning), key.description.unit, default, *values]
        lines.append("| " + " | ".join(cells) + " |")
    return [*lines, "", ":::"]


def _cell(text: str) -> str:
    """Text for a cell of a table, with nothing in it that is Markdown."""
    for sign in "\\|*<[`_":
        text = text.replace(sign, f"\\{sign}")
    return text


def _code(text: str) -> str:
    return f"`{text}`".replace("|", "\\|") if text else ""


def command_pages() -> Iterator[tuple[str, str]]:
    """Name and text of a page for each command."""
    from e2egraph.cli import cli

    for name, command in cli.commands.items():
        module = (command.callback or command).__module__
        attribute = next(key for key, value in vars(__import__(module, fromlist=["_"])).items() if value is command)
        yield (
            f"commands/{name}",
            f"```{{eval-rst}}\n.. click:: {module}:{attribute}\n   :prog: e2egraph {name}\n   :nested: full\n```\n",
        )


def function_pages() -> Iterator[tuple[str, str]]:
    """Name and text of a page for each name of the Python interface."""
    import inspect

    import e2egraph

    for name in e2egraph.__all__:
        value = getattr(e2egraph, name)
        directive, options = ("autofunction", "") if inspect.isfunction(value) else ("autoclass", "   :members:\n")
        if inspect.isclass(value) and issubclass(value, Exception):
            options = ""
        text = f"```{{eval-rst}}\n.. currentmodule:: e2egraph\n\n.. {directive}:: {name}\n{options}```\n"
        yield f"python/{name}", f"# e2egraph.{name}\n\n{text}"


def _of_file(file: str, page: str) -> str:
    path = ROOT / file
    text = rewritten(path.read_text(encoding="utf-8"), path, page)
    if "results" not in path.parts:
        return text
    # Tables of figures are in no list of pages: pages that quote them link to them.
    title = "" if text.startswith("# ") else f"# {path.stem}\n\n"
    text = re.sub(r"^###", "##", text, flags=re.MULTILINE)
    return f"---\norphan: true\n---\n\n{title}{text}"


def pages() -> Iterator[tuple[str, str]]:
    """Name in ``docs/generated`` and text of each page."""
    for name, kind in kinds().items():
        yield f"configuration/{name}", configuration_page(name, kind)
    yield from command_pages()
    yield from function_pages()
    for file, page in PAGES.items():
        if page.startswith(PREFIX):
            yield page.removeprefix(PREFIX), _of_file(file, page)


def _make(app: Sphinx) -> None:
    made = set()
    for name, text in pages():
        path = FOLDER / f"{name}.md"
        made.add(path)
        path.parent.mkdir(parents=True, exist_ok=True)
        # A page that is as it was keeps its time, so that it is not built again.
        if not path.is_file() or path.read_text(encoding="utf-8") != text:
            path.write_text(text, encoding="utf-8")
    for path in FOLDER.rglob("*.md"):
        if path not in made:
            path.unlink()


def _example_as_code(app: Sphinx, context: object, lines: list[str]) -> None:
    """The example at the end of a command's help, as code."""
    plain = [line.removeprefix("|").strip() for line in lines]
    text = [line for line in plain if line not in ("", "\b", "Example:")]
    if text:
        lines[:] = ["**Example**", "", ".. code-block:: bash", "", *(f"   {line}" for line in text), ""]


def setup(app: Sphinx) -> dict[str, bool]:
    app.connect("builder-inited", _make)
    app.connect("sphinx-click-process-epilog", _example_as_code)
    return {"parallel_read_safe": True, "parallel_write_safe": True}
