"""What a page says of its making, without local paths or host names."""

from __future__ import annotations

import re
import shlex
from collections.abc import Mapping
from pathlib import PurePosixPath, PureWindowsPath
from typing import Any

import yaml

# Keys whose values name a machine or a place on it, and what says nothing without them.
_LOCAL = {"host", "folder", "output"}

# An absolute path within a text: after its beginning, a blank, a quote, "=" and the like.
_PATH = re.compile(r"""(?:(?<=^)|(?<=[\s='"(\[,:;]))(?:~[\w.-]*)?/(?!/)[^\s'"()\[\],:;]+""")

# What a sentence may have and a path that is the whole text, blanks and all, does not.
_SENTENCE = re.compile(r"[:;]\s|\n")


def without_places(content: Any) -> Any:
    """JSON- or YAML-like ``content`` without hosts and folders; of absolute paths the last part is left."""
    if isinstance(content, Mapping):
        return {key: without_places(value) for key, value in content.items() if key not in _LOCAL}
    if isinstance(content, list | tuple):
        return [without_places(value) for value in content]
    return without_paths(content) if isinstance(content, str) else content


def without_paths(text: str) -> str:
    """Of every absolute path in ``text`` the last part."""
    if not _SENTENCE.search(text) and (_absolute(text) or PureWindowsPath(text).is_absolute()):
        return _name(text)
    return _PATH.sub(lambda found: _name(found.group()), text)


def command_line(command: str) -> str:
    """A command with the last part of each absolute path, and the program's plain name."""
    try:
        words = shlex.split(command)
    except ValueError:
        return without_paths(command)
    if words and PurePosixPath(words[0]).name == "__main__.py":
        words[0] = "e2egraph"
    return shlex.join([_word(word) for word in words])


def as_yaml(content: Mapping[str, Any]) -> str:
    """``content`` without places, as YAML."""
    text: str = yaml.safe_dump(without_places(content), sort_keys=False, allow_unicode=True, width=100)
    return text


def environment_facts(environment: Mapping[str, Any]) -> dict[str, str]:
    """What ``environment.describe_environment`` recorded, by title; what it lacks is said to be not recorded."""
    code, machine = environment.get("code") or {}, environment.get("machine") or {}
    packages = environment.get("packages") or {}
    command = environment.get("command")
    return {
        "command": command_line(command) if command else "not recorded",
        "started": _text(environment.get("started")),
        "e2egraph": _text(environment.get("e2egraph")),
        "code": code_text(code),
        "Python": _text(environment.get("python")),
        "packages": ", ".join(f"{name} {version}" for name, version in packages.items() if version) or "not recorded",
        "system": _text(machine.get("system")),
        "processor": _text(machine.get("processor")),
        "CPUs": _text(machine.get("cpus")),
        "torch threads": _text(machine.get("torch_threads")),
        "accelerator": _text(machine.get("accelerator") or ("none" if machine else None)),
    }


def code_text(code: Mapping[str, Any]) -> str:
    """The commit and whether files differed from it."""
    if not code.get("commit"):
        return "not from a Git checkout"
    return f"commit {code['commit']}" + (", with changes" if code.get("modified") else "")


def _text(value: Any) -> str:
    return "not recorded" if value is None else without_paths(str(value))


def _word(word: str) -> str:
    """One word of a command; ``NAME=PATH`` too."""
    key, separator, value = word.partition("=")
    if separator and _absolute(value):
        return f"{key}={_name(value)}"
    return without_paths(word)


def _absolute(text: str) -> bool:
    return text.startswith(("/", "~")) and not text.startswith("//") and len(text) > 1


def _name(path: str) -> str:
    return PureWindowsPath(path).name or PurePosixPath(path).name
