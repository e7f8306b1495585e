"""Who trains the trials: this process, or several that share the machine's processors and accelerators."""

from __future__ import annotations

import os
import signal
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from multiprocessing import get_context
from multiprocessing.connection import Connection, wait
from multiprocessing.process import BaseProcess
from types import FrameType

import torch
from optuna.trial import TrialState

from e2egraph.errors import InputError, Stopped
from e2egraph.graphs.building.mapper import die_with_parent
from e2egraph.training.tuning.results import write_results
from e2egraph.training.tuning.study import STARTS, Search, Study
from e2egraph.training.tuning.trial import run_trial

# Seconds between two checks of what the workers (also those of other machines) did; seconds to end after an interrupt.
POLL, PATIENCE = 1.0, 60.0

# Failures for the same reason, with nothing but failures, after which a search ends.
SAME_FAILURES = 3

# Exit codes of a worker that ended early: its error is in its pipe; it was interrupted.
FAILED, INTERRUPTED = 3, 4


def work(study: Study, report: Callable[[], None]) -> None:
    """Train trials in this process until all are begun; ``report`` is called after each.

    InputError: all trials so far failed for one and the same reason, which is then hardly theirs.
    """
    while (trial := study.claim()) is not None:
        run_trial(study, trial)
        write_results(study)
        report()
        reason = common_failure(study)
        if reason is not None:
            raise InputError(
                f"{study.search.output}: the first {SAME_FAILURES} trials and all since failed ({reason.rstrip('.')}); "
                "correct that, remove the folder and begin again."
            )


def common_failure(study: Study) -> str | None:
    """The reason for which every trial so far, ``SAME_FAILURES`` at least, failed; None without a common one."""
    trials = [trial for trial in study.trials() if trial.state is not TrialState.RUNNING]
    reasons = {trial.user_attrs.get("reason") if trial.state is TrialState.FAIL else None for trial in trials}
    return reasons.pop() if len(trials) >= SAME_FAILURES and len(reasons) == 1 else None


def work_in_processes(study: Study, workers: int, report: Callable[[], None]) -> None:
    """The same in ``workers`` processes, each with its share of the threads and with one of the accelerators.

    Another takes the place of a worker that is killed, and its trial is taken up again (``Study.claim``). Interrupts
    and SIGTERM reach the workers, which leave their trials to be taken up. InputError: a worker failed for a reason
    that is not its trial's, or workers are killed again and again.
    """
    spawn = get_context("spawn")
    running: dict[BaseProcess, tuple[int, Connection]] = {}

    def start(place: int) -> None:
        receiver, sender = spawn.Pipe(duplex=False)
        process = spawn.Process(target=_main, args=(study.search, place, workers, sender), name=f"tune-{place}")
        process.start()
        sender.close()
        running[process] = (place, receiver)

    killed, recorded = 0, 0
    try:
        with _interrupted_by_sigterm():
            for place in range(workers):
                start(place)
            while running:
                ended = wait([process.sentinel for process in running], timeout=POLL)
                for process in [process for process in running if process.sentinel in ended]:
                    process.join()
                    place, receiver = running.pop(process)
                    if _was_killed(process, receiver):
                        killed += 1
                        start(place)
                report()
                now = sum(trial.state.is_finished() for trial in study.trials())
                if now > recorded:
                    killed, recorded = 0, now
                elif killed > STARTS * workers:
                    raise InputError(
                        f"workers were killed {killed} times and no trial ended meanwhile, most often for lack of "
                        "memory; use fewer --workers or smaller settings and run the command again."
                    )
    finally:
        _end(list(running))


def _was_killed(process: BaseProcess, receiver: Connection) -> bool:
    """Whether a worker ended by no will of its own; raises what ends the search."""
    if process.exitcode == INTERRUPTED:
        raise _stopped(signal.SIGTERM)
    if process.exitcode == FAILED and receiver.poll():
        raise InputError(receiver.recv_bytes().decode())
    return process.exitcode != 0


def _end(processes: list[BaseProcess]) -> None:
    """Ask the workers to stop, so that they can keep what they have; kill the ones that do not."""
    for process in processes:
        process.terminate()
    for process in processes:
        process.join(PATIENCE)
        if process.is_alive():
            process.kill()
            process.join()


def _main(search: Search, place: int, workers: int, errors: Connection) -> None:
    """A worker process."""
    die_with_parent()
    _share_machine(place, workers)
    try:
        with _interrupted_by_sigterm():
            work(Study(search), report=lambda: None)
    except (KeyboardInterrupt, Stopped):
        sys.exit(INTERRUPTED)
    except Exception as error:
        what = str(error) if isinstance(error, InputError) else f"a worker failed ({type(error).__name__}: {error})."
        errors.send_bytes(what.encode())
        sys.exit(FAILED)


def _share_machine(place: int, workers: int) -> None:
    torch.set_num_threads(max(1, torch.get_num_threads() // workers))
    given = os.environ.get("CUDA_VISIBLE_DEVICES")
    devices = given.split(",") if given else [str(number) for number in range(torch.cuda.device_count())]
    if devices:
        os.environ["CUDA_VISIBLE_DEVICES"] = devices[place % len(devices)]


def _stopped(number: int) -> Stopped:
    return Stopped("stopped; the same command goes on from the trials that are recorded.", 128 + number)


@contextmanager
def _interrupted_by_sigterm() -> Iterator[None]:
    """Within the block SIGTERM, as batch systems send it, raises Stopped."""

    def interrupt(number: int, frame: FrameType | None) -> None:
        raise _stopped(number)

    before = signal.signal(signal.SIGTERM, interrupt)
    try:
        yield
    finally:
        signal.signal(signal.SIGTERM, before)
