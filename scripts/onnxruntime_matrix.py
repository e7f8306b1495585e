"""Do bundles give the same scores on the versions of ONNX Runtime that CMSSW has shipped and will ship?

    python scripts/onnxruntime_matrix.py BUNDLE… --folder ort_matrix [--versions 1.17.3,1.20.1,newest]

Makes a virtual environment with nothing but ONNX Runtime and NumPy for each version in ``--folder`` (kept for the next
time), scores the same made jets in all and in the present environment, and prints a Markdown table of the largest
differences between logits and between predictions in units of their scale. Exit code 1 where one exceeds the exporter's
tolerance or a version fails.
"""

from __future__ import annotations

import argparse
import json
import re
import subprocess
import sys
import venv
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import onnxruntime

if TYPE_CHECKING:
    from e2egraph.tasks.outputs import Head

# The oldest that CMSSW 14_0 has, that of 2025, and the newest that pip finds.
VERSION = re.compile(r"\d+\.\d+(\.\d+)*")
VERSIONS = ("1.17.3", "1.20.1", "newest")

CASES = [(batch, n) for n in (0, 1, 17, 100, 1500) for batch in (1, 3)]
KINDS = ("random", "lattice", "coincident")


def main() -> int:
    parser = argparse.ArgumentParser(description="Scores of bundles on several versions of ONNX Runtime, compared.")
    parser.add_argument("bundles", nargs="+", type=Path, metavar="BUNDLE")
    parser.add_argument("--folder", type=Path, required=True, help="for virtual environments and inputs")
    parser.add_argument("--versions", default=",".join(VERSIONS), help="with commas between (default: %(default)s)")
    parser.add_argument("--score", action="store_true", help=argparse.SUPPRESS)
    arguments = parser.parse_args()
    if arguments.score:
        print(json.dumps(score(arguments.bundles, arguments.folder)))
        return 0
    # Not at the top: where --score is run, e2egraph is not installed.
    from e2egraph.errors import InputError, UsageError
    from e2egraph.folders import check_folder

    try:
        check_folder(arguments.folder, "--folder")
        versions = arguments.versions.split(",")
        wrong = [version for version in versions if version != "newest" and not VERSION.fullmatch(version)]
        if wrong:
            raise UsageError(f"--versions {wrong[0]}: give versions such as 1.20.1, or newest, with commas between.")
        return compare(arguments.bundles, arguments.folder, versions)
    except (InputError, UsageError) as error:
        parser.exit(1, f"onnxruntime_matrix.py: {error}\n")


def compare(bundles: list[Path], folder: Path, versions: list[str]) -> int:
    """Print the table; the exit code."""
    from e2egraph.export.bundle import read_metadata
    from e2egraph.export.parity import TOLERANCE

    heads = {str(bundle): read_metadata(bundle).outputs.heads for bundle in bundles}
    write_inputs(folder / "inputs.npz", bundles)
    print("| bundle | " + " | ".join(f"ONNX Runtime {v}" for v in (onnxruntime.__version__, *versions)) + " |")
    print("|---" * (len(versions) + 2) + "|")
    here = score(bundles, folder)
    results = [score_in(version, bundles, folder) for version in versions]
    worst = 0.0
    for bundle in map(str, bundles):
        cells = [f"{here['milliseconds'][bundle]:.2f} ms"]
        for result in results:
            if bundle not in result.get("outputs", {}):
                cells.append(result.get("error", "failed"))
                worst = float("inf")
                continue
            difference = largest_difference(here["outputs"][bundle], result["outputs"][bundle], heads[bundle])
            worst = max(worst, difference)
            cells.append(f"{result['version']}: {difference:.1e}, {result['milliseconds'][bundle]:.2f} ms")
        print(f"| {Path(bundle).name} | " + " | ".join(cells) + " |")
    print(
        f"\nLargest difference of outputs to {onnxruntime.__version__}; CPU time of one jet of 1500 nodes, one thread."
    )
    return 0 if worst <= TOLERANCE else 1


def largest_difference(here: dict[str, list[Any]], there: dict[str, list[Any]], heads: Sequence[Head]) -> float:
    """Of logits, and of predictions in units of their scale, over all cases; outputs by tensor."""
    from e2egraph.export.parity import shares_of_unit

    largest = 0.0
    for head in heads:
        name = head.tensors[-1]
        for expected, given in zip(here[name], there[name], strict=True):
            of_scale = None if head.activation == "softmax" else head
            ours, theirs = np.array(expected, np.float32), np.array(given, np.float32)
            if ours.shape != theirs.shape or not np.isfinite(theirs).all():
                return float("inf")
            largest = max(largest, float(shares_of_unit(theirs, ours, of_scale).max(initial=0.0)))
    return largest


def write_inputs(path: Path, bundles: list[Path]) -> None:
    """Made jets of every case, inputs by ``number of the bundle/kind/batch/n/name``."""
    from e2egraph.export.bundle import read_metadata
    from e2egraph.export.made_jets import made_jets
    from e2egraph.export.parity import feeds

    arrays = {}
    for number, bundle in enumerate(bundles):
        metadata, rng = read_metadata(bundle), np.random.default_rng(1)
        for kind in KINDS:
            for batch, n in CASES:
                jets = made_jets(kind, batch, n, rng, metadata.inputs)
                for name, array in feeds(jets, metadata.uses_jet).items():
                    arrays[f"{number}/{kind}/{batch}/{n}/{name}"] = array
    path.parent.mkdir(parents=True, exist_ok=True)
    np.savez(path, **arrays)


def score_in(version: str, bundles: list[Path], folder: Path) -> dict[str, Any]:
    """``score`` in a virtual environment with that version; ``error`` where it cannot be had or fails."""
    environment = folder / f"onnxruntime-{version}"
    python = environment / "bin" / "python"
    # Wheels before 1.19 were built against NumPy 1.
    old = version != "newest" and tuple(map(int, version.split(".")[:2])) < (1, 19)
    wanted = ["onnxruntime" if version == "newest" else f"onnxruntime=={version}", "numpy<2" if old else "numpy"]
    if not python.exists():
        venv.create(environment, with_pip=True)
    words = [str(python), str(Path(__file__).resolve()), "--score", "--folder", str(folder), *map(str, bundles)]
    try:
        subprocess.run([str(python), "-m", "pip", "install", "--quiet", *wanted], check=True, capture_output=True)
        done = subprocess.run(words, check=True, capture_output=True, text=True, encoding="utf-8")
    except subprocess.CalledProcessError as error:
        text = error.stderr if isinstance(error.stderr, str) else error.stderr.decode(errors="replace")
        return {"error": (text.strip().splitlines() or [f"exit code {error.returncode}"])[-1]}
    result: dict[str, Any] = json.loads(done.stdout)
    return result


def score(bundles: list[Path], folder: Path) -> dict[str, Any]:
    """Outputs of every case by bundle and tensor, and CPU milliseconds of one long jet; needs ONNX Runtime and NumPy
    alone."""
    import time

    inputs = np.load(folder / "inputs.npz")
    outputs: dict[str, dict[str, list[Any]]] = {}
    milliseconds: dict[str, float] = {}
    for number, bundle in enumerate(bundles):
        options = onnxruntime.SessionOptions()
        options.intra_op_num_threads = options.inter_op_num_threads = 1
        session = onnxruntime.InferenceSession(str(bundle / "model.onnx"), options, providers=["CPUExecutionProvider"])
        names = [tensor.name for tensor in session.get_inputs()]
        tensors = [tensor.name for tensor in session.get_outputs()]
        outputs[str(bundle)] = {name: [] for name in tensors}
        for kind in KINDS:
            for batch, n in CASES:
                feed = {name: inputs[f"{number}/{kind}/{batch}/{n}/{name}"] for name in names}
                for name, values in zip(tensors, session.run(tensors, feed), strict=True):
                    outputs[str(bundle)][name].append(values.tolist())
        feed = {name: inputs[f"{number}/random/1/{CASES[-1][1]}/{name}"] for name in names}
        times = []
        for _ in range(7):
            start = time.process_time()
            session.run(tensors, feed)
            times.append(time.process_time() - start)
        milliseconds[str(bundle)] = 1e3 * float(np.median(times[1:]))
    return {"version": onnxruntime.__version__, "outputs": outputs, "milliseconds": milliseconds}


if __name__ == "__main__":
    sys.exit(main())
