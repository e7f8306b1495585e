"""Execute a notebook and write it back with its outputs, fit to be committed: no times, no paths of this machine.

    E2EGRAPH_ABLATION=ablation E2EGRAPH_DATA=data/test python scripts/execute_notebook.py scripts/ablation.ipynb

An error in a cell, a warning, or a path of this machine in an output ends it with exit code 1; the file then stays as
it was.
"""

from __future__ import annotations

import argparse
import os
import sys
import tempfile
from pathlib import Path
from typing import Any

from e2egraph.errors import InputError
from e2egraph.files import check_file, write_text
from e2egraph.utf8 import use_utf8

LARGEST = 3_000_000  # bytes: what a repository should hold of one

FOLDERS = ("E2EGRAPH_ABLATION", "E2EGRAPH_DATA")  # where the notebook's inputs are


def execute(source: Path, output: Path, timeout: int) -> None:
    """SystemExit with one sentence when a cell fails or its outputs are not fit to be committed."""
    import nbformat
    from nbclient import NotebookClient
    from nbclient.exceptions import CellExecutionError, CellTimeoutError, DeadKernelError

    try:
        notebook = nbformat.read(source, as_version=4)
    except (OSError, nbformat.reader.NotJSONError) as error:
        sys.exit(f"{source}: not a notebook that can be read ({error}); name one.")
    client = NotebookClient(
        notebook,
        timeout=timeout,
        kernel_name="python3",
        record_timing=False,
        coalesce_streams=True,
        resources={"metadata": {"path": str(Path.cwd())}},
    )
    client.create_kernel_manager()
    client.km.transport = "ipc"  # sockets in the file system, not on the network
    try:
        client.execute()
    except CellExecutionError as error:
        sys.exit(f"{source}: a cell failed: {error}")
    except CellTimeoutError:
        sys.exit(f"{source}: a cell took more than {timeout} seconds; give more by --timeout.")
    except DeadKernelError as error:
        sys.exit(f"{source}: the kernel ended ({error}); look whether the machine has the memory, and run again.")
    faults = unfit(notebook)
    notebook.metadata.pop("widgets", None)
    notebook.metadata["language_info"] = {"name": "python"}
    text = nbformat.writes(notebook) + "\n"
    if len(text.encode()) > LARGEST:
        faults.append(f"{len(text.encode()):,} bytes, more than {LARGEST:,}")
    if faults:
        sys.exit(f"{source}: {'; '.join(faults)}; correct this and run again.")
    write_text(output, text)
    print(f"wrote {output}: {len(notebook.cells)} cells, {len(text.encode()):,} bytes")


def unfit(notebook: Any) -> list[str]:
    """What must not be committed, cell by cell: code cells not run, errors, warnings, paths of this machine."""
    folders = [Path.home(), Path.cwd(), Path(tempfile.gettempdir())]
    folders += [Path(os.environ[name]).resolve() for name in FOLDERS if name in os.environ]
    paths = [str(folder) + "/" for folder in folders if folder != Path("/")]
    faults = []
    for number, cell in enumerate(notebook.cells):
        if cell.cell_type != "code":
            continue
        if cell.execution_count is None:
            faults.append(f"cell {number} was not run")
        for output in cell.outputs:
            if output.output_type == "error":
                faults.append(f"cell {number} ends with {output.ename}")
            elif output.output_type == "stream" and output.name == "stderr":
                faults.append(f"cell {number} writes to stderr: {output.text.strip()[:200]}")
            shown = {kind: str(part) for kind, part in output.get("data", {}).items() if not kind.startswith("image/")}
            texts = [output.get("text", ""), *shown.values()]
            faults += [f"cell {number} shows {path}" for path in paths if any(path in text for text in texts)]
    return faults


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("notebook", type=Path)
    parser.add_argument("--output", type=Path, help="where to write it; over the notebook itself by default")
    parser.add_argument("--timeout", type=int, default=3600, help="seconds a cell may take")
    arguments = parser.parse_args()
    try:
        check_file(arguments.output or arguments.notebook)
    except InputError as error:
        parser.exit(1, f"execute_notebook.py: {error}\n")
    execute(arguments.notebook, arguments.output or arguments.notebook, arguments.timeout)


if __name__ == "__main__":
    use_utf8()
    main()
