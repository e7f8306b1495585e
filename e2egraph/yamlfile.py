"""YAML, read in one way everywhere: text in UTF-8, every key of a group once, and only what JSON can hold too."""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import Any

import yaml

from e2egraph.errors import UsageError
from e2egraph.textfile import decoded

# Tags of values that are neither text nor numbers, lists and groups → what they are.
_REFUSED = {
    "tag:yaml.org,2002:timestamp": "a date",
    "tag:yaml.org,2002:binary": "binary data",
    "tag:yaml.org,2002:set": "a set",
    "tag:yaml.org,2002:omap": "an ordered map",
    "tag:yaml.org,2002:pairs": "a list of pairs",
}

# ``<<``, which fills a group with the keys of others.
_MERGE = "tag:yaml.org,2002:merge"

# Numbers that YAML 1.1 reads as others than they look: 010 to base 8 (as 8), 1:30 to base 60 (as 90).
_NUMBERS = ("tag:yaml.org,2002:int", "tag:yaml.org,2002:float")
_OTHER_BASE = re.compile(r"[-+]?0[0-7_]+|.*:.*")


def read(path: Path) -> Any:
    """The content of a YAML file. UsageError, naming the line and key at fault: not UTF-8, not YAML, a key that a
    group holds twice, a date or another value that JSON has no form for. OSErrors pass through."""
    try:
        text = decoded(path.read_bytes())
    except UnicodeDecodeError as error:
        raise UsageError(f"{path}: {error.reason}; save the file as UTF-8.") from error
    return _made(text, str(path), "correct the file", name_lines=True)


def parse(text: str, origin: str) -> Any:
    """The value of a YAML text of one line, as given with ``--set``; UsageError, as ``read``, naming ``origin``."""
    return _made(text, origin, "quote the value", name_lines=False)


def written(value: Any) -> str:
    """A value of JSON's kinds as YAML on one line, which ``parse`` reads back as it is; yaml.YAMLError for others."""
    return yaml.safe_dump([value], default_flow_style=True, width=2**20, allow_unicode=True).strip()[1:-1]


def _made(text: str, origin: str, advice: str, *, name_lines: bool) -> Any:
    try:
        loader = yaml.SafeLoader(text)
        node = loader.get_single_node()
        if node is None:
            return None
        _Check(loader, origin, name_lines=name_lines).visit(node, ())
        return loader.construct_document(node)
    except RecursionError as error:
        raise UsageError(f"{origin}: not valid YAML (nested too deeply); {advice}.") from error
    # What only looks like a number fails in Python's own conversions.
    except (yaml.YAMLError, ValueError, TypeError) as error:
        raise UsageError(f"{origin}: not valid YAML ({' '.join(str(error).split())}); {advice}.") from error


class _Check:
    """Walks a document before it is made into dictionaries, which would drop all but the last of equal keys."""

    def __init__(self, loader: yaml.SafeLoader, origin: str, *, name_lines: bool) -> None:
        self._loader, self._origin, self._name_lines = loader, origin, name_lines
        self._above: set[int] = set()
        self._done: set[int] = set()

    def visit(self, node: yaml.Node, name: tuple[str, ...]) -> None:
        """Check ``node``, whose keys from the top are ``name``; what aliases repeat is checked once."""
        if id(node) in self._above:
            raise UsageError(f"{self._at(node)}: '{'.'.join(name)}' contains itself; write it out.")
        if node.tag in _REFUSED:
            value = f" ({node.value})" if isinstance(node, yaml.ScalarNode) and len(node.value) < 40 else ""
            what = f"'{'.'.join(name)}'" if name else "the value"
            raise UsageError(f"{self._at(node)}: {what} is {_REFUSED[node.tag]}{value}; put text in quotes.")
        if node.tag in _NUMBERS and _OTHER_BASE.fullmatch(node.value):
            what = f"'{'.'.join(name)}'" if name else "the value"
            taken = self._loader.construct_object(node)
            raise UsageError(
                f"{self._at(node)}: {what} is {node.value}, which YAML reads as the number {taken}; write that, or "
                "text in quotes."
            )
        if id(node) in self._done or isinstance(node, yaml.ScalarNode):
            return
        self._above.add(id(node))
        if isinstance(node, yaml.MappingNode):
            self._visit_group(node, name)
        else:
            for number, member in enumerate(node.value):
                self.visit(member, (*name, str(number)))
        self._above.remove(id(node))
        self._done.add(id(node))

    def _visit_group(self, node: yaml.MappingNode, name: tuple[str, ...]) -> None:
        first: dict[object, yaml.Node] = {}
        for key, value in node.value:
            here = (*name, str(key.value) if isinstance(key, yaml.ScalarNode) else "?")
            self.visit(key, here)
            forms = self._forms(key)
            for form in forms & first.keys():
                raise UsageError(
                    f"{self._at(key)}: key '{'.'.join(here)}' is given twice{self._before(first[form])}; keep one of "
                    "them."
                )
            first |= dict.fromkeys(forms, key)
            self.visit(value, here)

    def _forms(self, key: yaml.Node) -> set[object]:
        """A key's value, and the text that it is in JSON: 1, 1.0 and "1" are one key in Python or there."""
        if not isinstance(key, yaml.ScalarNode):
            return set()  # refused when it is made
        if key.tag == _MERGE:
            return {key.tag}
        value = self._loader.construct_object(key)
        return {value} if isinstance(value, str) else {value, json.dumps(value)}

    def _at(self, node: yaml.Node) -> str:
        return f"{self._origin}: line {node.start_mark.line + 1}" if self._name_lines else self._origin

    def _before(self, node: yaml.Node) -> str:
        return f" (first in line {node.start_mark.line + 1})" if self._name_lines else ""
