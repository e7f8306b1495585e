"""Files that a process names: relative to its YAML's folder, and those of generator settings read before any work."""

from __future__ import annotations

import os
import re
from collections.abc import Mapping
from pathlib import Path
from typing import Any, TypeGuard

from e2egraph.errors import UsageError
from e2egraph.textfile import decoded

# Settings of Pythia that name a file to be read → what Pythia adds to that name. Files of parton densities are absolute
# or Pythia's own, and those of its caches are written by itself.
FILE_SETTINGS = {
    "slha:file": "",
    "beams:lhef": "",
    "beams:lhefheader": "",
    "alpgen:file": ".unw",
    "heavyiona:externalnucleusfile": "",
    "heavyionb:externalnucleusfile": "",
}
# Names a further file of settings; one that is not there may be among Pythia's own.
INCLUDE = "include"

# As Pythia takes a line: name and value apart by blanks and "=", whatever follows being a comment.
_SETTING = re.compile(r"^\s*([A-Za-z][\w:]*)[\s=]+(\S+)")


def named_file(line: str) -> tuple[str, str | None]:
    """Name of a setting in lower case (Pythia does not tell cases apart), and the file that it names, if any."""
    found = _SETTING.match(line)
    if found is None:
        return "", None
    name = found[1].lower().replace("::", ":")
    names_file = (name in FILE_SETTINGS and found[2].lower() != "void") or name == INCLUDE
    return name, found[2] if names_file else None


def with_folder(process: Mapping[str, Any], folder: Path) -> dict[str, Any]:
    """A process's YAML content in which files that its generator section and pile-up name, relative to ``folder``, are
    absolute.

    What is not of the right type is left for ``validate`` to name. UsageError when Pythia cannot take such a path.
    """
    pile_up, generator = process.get("pile_up"), process.get("generator")
    if isinstance(pile_up, dict) and str(pile_up.get("process")).endswith((".yaml", ".yml")):
        process = {**process, "pile_up": {**pile_up, "process": str(seen_from(folder, pile_up["process"]))}}
    if not isinstance(generator, dict):
        return dict(process)
    generator = dict(generator)
    if isinstance(lines := generator.get("settings"), list):
        generator["settings"] = [_absolute(line, folder) if isinstance(line, str) else line for line in lines]
    if _is_file_name(slha := generator.get("slha")):
        generator["slha"] = str(seen_from(folder, slha))
    return {**process, "generator": generator}


def with_contents(process: Mapping[str, Any], origin: str) -> dict[str, Any]:
    """``process``, its paths absolute, with the text of the SLHA file in place of its name.

    UsageError, naming ``origin`` and the setting, when a file that the generator section names cannot be read.
    """
    generator = process.get("generator")
    if not isinstance(generator, dict):
        return dict(process)
    for line in lines if isinstance(lines := generator.get("settings"), list) else ():
        name, file = named_file(line) if isinstance(line, str) else ("", None)
        if name in FILE_SETTINGS and file is not None:
            path = Path(file + FILE_SETTINGS[name])
            if not path.is_file():
                raise UsageError(f"{origin}: no file {path}, which the setting '{line}' names; correct the path.")
    if not _is_file_name(slha := generator.get("slha")):
        return dict(process)
    try:
        text = decoded(Path(slha).read_bytes())
    except (OSError, UnicodeDecodeError) as error:
        why = error.strerror if isinstance(error, OSError) else error.reason
        raise UsageError(f"{origin}: generator.slha {slha} cannot be read ({why}); correct the path.") from error
    return {**process, "generator": {**generator, "slha": text}}


def _absolute(line: str, folder: Path) -> str:
    name, file = named_file(line)
    if file is None or Path(file).is_absolute():
        return line
    path = seen_from(folder, file)
    if name == INCLUDE and not path.is_file():
        return line
    if any(character.isspace() for character in str(path)):
        raise UsageError(f"'{line}': Pythia takes no path with blanks, as {path} has; move the file.")
    return f"{name} = {path}"


def seen_from(folder: Path, file: str) -> Path:
    """``file``, which a YAML in ``folder`` names: absolute, home folders known."""
    return folder.absolute() / os.path.expanduser(file)  # noqa: PTH111 (a home that nobody has stays as it is)


def _is_file_name(slha: object) -> TypeGuard[str]:
    """Whether ``generator.slha`` names a file: text in the SLHA format has several lines."""
    return isinstance(slha, str) and slha.strip() != "" and "\n" not in slha
