"""``benchmark infer``: milliseconds a jet of ONNX Runtime with one thread, as CMSSW runs it.

All models score the same jets one after the other, in turns, so that a busy machine slows them equally.
``latency``: time by the clock on the wall, which is what a caller waits; ``cpu``: CPU time, which other processes
disturb less, and of which the ratios are made.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import onnxruntime
from numpy.typing import NDArray

from e2egraph.benchmark.inference.infer_jets import InferenceJets
from e2egraph.benchmark.report import Record
from e2egraph.config import config_names
from e2egraph.errors import UsageError
from e2egraph.export.bundle import MODEL_FILE, first_tensors
from e2egraph.export.feeds import feeds
from e2egraph.export.made_jets import made_jets
from e2egraph.export.one_thread import one_thread_session
from e2egraph.inference.fit import check_fit
from e2egraph.inference.session import Bundle
from e2egraph.tasks.inputs import Inputs

BATCH_SIZES = (1, 16, 64)
NODES = (128, 256, 512, 1024, 2048, 4096)
PERCENTILES = (10, 50, 90, 99)
ROUNDS = 5

# The published image network, the denominator of the ratios.
REFERENCE = "resnet15"

Progress = Callable[[int, int], None]
Feed = dict[str, NDArray[np.float32]]


@dataclass
class Times:
    """Seconds of every call: by the clock on the wall and of this process's CPU time."""

    wall: list[float] = field(default_factory=list)
    cpu: list[float] = field(default_factory=list)

    def call(self, session: onnxruntime.InferenceSession, tensors: Sequence[str], feed: Feed) -> None:
        cpu, wall = time.process_time(), time.perf_counter()
        session.run(tensors, feed)
        self.wall.append(time.perf_counter() - wall)
        self.cpu.append(time.process_time() - cpu)


@dataclass(frozen=True)
class Case:
    """A model: its ONNX file's content, a session, what it reads, which of its tensors are asked for, and how jets
    become its inputs (``bundle`` if it is one)."""

    name: str
    content: bytes
    session: onnxruntime.InferenceSession
    inputs: Inputs
    tensors: list[str]
    bundle: Bundle | None = None

    def batches(self, jets: InferenceJets, size: int) -> Iterator[Feed]:
        for batch in jets.batches(size, self.inputs, None if self.bundle is None else self.bundle.select):
            yield self.named(feeds(batch, True) if self.bundle is None else self.bundle.feeds(batch))

    def made(self, n: int) -> Feed:
        """One made jet of ``n`` nodes."""
        return self.named(feeds(made_jets("random", 1, n, np.random.default_rng(n), self.inputs), True))

    def named(self, feed: Feed) -> Feed:
        """Those inputs alone that the model asks for."""
        return {tensor.name: feed[tensor.name] for tensor in self.session.get_inputs()}


def benchmark_infer(
    models: Sequence[str] = (),
    *,
    bundles: Sequence[Path] = (),
    settings: Sequence[str] = (),
    jets: InferenceJets,
    batch_sizes: Sequence[int] = BATCH_SIZES,
    nodes: Sequence[int] = NODES,
    rounds: int = ROUNDS,
    progress: Progress | None = None,
) -> list[Record]:
    """Time ``models`` (names or YAML files, with ``settings``, untrained) and ``bundles``; neither: all shipped models.

    ``jets`` are scored in batches of ``batch_sizes``; jets of exactly ``nodes`` nodes one at a time. InputError: a
    model cannot be exported, a bundle cannot be opened or does not fit the data set. UsageError: unknown model, or two
    cases of one name.
    """
    cases = _cases(models or (() if bundles else config_names("models")), bundles, settings, jets)
    done, total = 0, rounds * (len(batch_sizes) + len(nodes)) + len(cases)

    def step() -> None:
        nonlocal done
        done += 1
        if progress is not None:
            progress(done, total)

    records: list[Record] = []
    for case in cases:
        records += _sizes(case, rounds)
        step()
    for size in batch_sizes:
        fed = [list(case.batches(jets, size)) for case in cases]
        times = _turns(cases, fed, rounds, step)
        records += _batch_records(cases, times, size, f"{jets.about}, batches of {size}, one thread, {rounds} rounds")
    for n in nodes:
        times = _turns(cases, [[case.made(n)] * 3 for case in cases], rounds, step)
        note = f"one made jet of {n} nodes, one thread, {3 * rounds} calls"
        for case, taken in zip(cases, times, strict=True):
            records.append(
                Record(case.name, n, "latency_ms_p50_at_n_nodes", 1e3 * float(np.median(taken.wall)), "ms", note)
            )
        records += _ratios(cases, times, n, f"latency_ratio_to_{REFERENCE}_at_n_nodes", f"CPU time, {note}")
    return records


def _cases(models: Sequence[str], bundles: Sequence[Path], settings: Sequence[str], jets: InferenceJets) -> list[Case]:
    import torch

    from e2egraph.export.onnx import to_onnx
    from e2egraph.models.registry import build_model, load_model_config

    cases = []
    for name in dict.fromkeys(models):
        config = load_model_config(name, settings)
        torch.manual_seed(1)
        network = build_model(config, jets.inputs, jets.outputs)
        content = to_onnx(network, jets.inputs, jets.outputs).SerializeToString()
        tensors = first_tensors(jets.outputs)
        cases.append(Case(config.name, content, one_thread_session(content), jets.inputs, tensors))
    for folder in dict.fromkeys(bundles):
        opened = Bundle.open(folder, threads=1)
        if jets.folder is not None and jets.manifest is not None:
            check_fit(opened, jets.folder, jets.manifest)
        content = (folder / MODEL_FILE).read_bytes()
        tensors = first_tensors(opened.metadata.outputs)
        cases.append(Case(folder.resolve().name, content, opened.session, opened.inputs, tensors, opened))
    names = [case.name for case in cases]
    again = next((name for name in names if names.count(name) > 1), None)
    if again is not None:
        raise UsageError(f"two models are named '{again}'; measure them in two runs, or rename a bundle's folder.")
    return cases


def _sizes(case: Case, rounds: int) -> list[Record]:
    seconds = []
    for _ in range(rounds):
        start = time.perf_counter()
        one_thread_session(case.content)
        seconds.append(time.perf_counter() - start)
    note = f"ONNX Runtime's session from memory, median of {rounds}"
    return [
        Record(case.name, 1, "model_bytes", len(case.content), "B"),
        Record(case.name, rounds, "load_ms", 1e3 * float(np.median(seconds)), "ms", note),
    ]


def _turns(cases: Sequence[Case], fed: Sequence[Sequence[Feed]], rounds: int, step: Callable[[], None]) -> list[Times]:
    """Every case on all its batches, once untimed and once timed, case after case; that ``rounds`` times.

    Each turn has a session of its own: together, those of all models would keep more memory than a laptop has.
    """
    times = [Times() for _ in cases]
    for _ in range(rounds):
        for case, feeds_of_case, taken in zip(cases, fed, times, strict=True):
            session = one_thread_session(case.content)
            for timed in (Times(), taken):
                for feed in feeds_of_case:
                    timed.call(session, case.tensors, feed)
        step()
    return times


def _batch_records(cases: Sequence[Case], times: Sequence[Times], size: int, note: str) -> list[Record]:
    records = []
    for case, taken in zip(cases, times, strict=True):
        for metric, seconds in (("latency", taken.wall), ("cpu", taken.cpu)):
            for percent, value in zip(PERCENTILES, np.percentile(seconds, PERCENTILES), strict=True):
                name = f"{metric}_ms_per_jet_p{percent}"
                records.append(Record(case.name, size, name, 1e3 * float(value) / size, "ms", note))
        rate = size / float(np.median(taken.cpu))
        records.append(Record(case.name, size, "jets_per_second", rate, "1/s", f"of one core, by CPU time; {note}"))
    return records + _ratios(cases, times, size, f"latency_ratio_to_{REFERENCE}", f"median CPU time; {note}")


def _ratios(cases: Sequence[Case], times: Sequence[Times], n: int, metric: str, note: str) -> list[Record]:
    medians: dict[str, Any] = {case.name: float(np.median(taken.cpu)) for case, taken in zip(cases, times, strict=True)}
    if REFERENCE not in medians:
        return []
    return [Record(name, n, metric, value / medians[REFERENCE], "", note) for name, value in medians.items()]
