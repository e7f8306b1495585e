"""Where the work of a build runs: in this process, in processes of this machine, or on a Dask cluster."""

from __future__ import annotations

import os
import threading
from collections import deque
from collections.abc import Callable, Iterable, Iterator, Sequence
from concurrent.futures import FIRST_COMPLETED, Executor, Future, ProcessPoolExecutor
from concurrent.futures import wait as wait_for
from concurrent.futures.process import BrokenProcessPool
from contextlib import contextmanager
from functools import partial
from multiprocessing import get_context, parent_process
from multiprocessing.connection import wait
from pathlib import Path
from typing import Any

from e2egraph.errors import InputError, UnfinishedError

# ``map`` in the order of its items, wherever the work is done. When one fails, no other is at work any longer once its
# error is raised: what they write to may be removed.
Mapper = Callable[[Callable[[Any], Any], Sequence[Any]], Iterable[Any]]

# Seconds to wait for an answer of the Dask scheduler.
PATIENCE = 10

# Pieces of work given out for each that is worked on, so that nobody waits for the next.
AHEAD = 2


@contextmanager
def open_mapper(workers: int = 1, dask: str | None = None) -> Iterator[Mapper]:
    """A mapper over ``workers`` processes, or over the Dask scheduler at address ``dask`` (or in that scheduler file).

    InputError: no scheduler answers; UnfinishedError: a worker died.
    """
    if dask is not None:
        with _dask_mapper(dask) as mapper:
            yield mapper
    elif workers <= 1:
        yield map
    else:
        with _process_mapper(workers) as mapper:
            yield mapper


@contextmanager
def _process_mapper(workers: int) -> Iterator[Mapper]:
    # Fresh processes: forking one that has threads can hang.
    with ProcessPoolExecutor(workers, mp_context=get_context("spawn"), initializer=die_with_parent) as pool:
        try:
            yield partial(in_order, pool, lambda: AHEAD * workers)
        except BrokenProcessPool as error:
            raise UnfinishedError(
                "a worker process died, most often for lack of memory; use fewer --workers and run the command again: "
                "it goes on from the shards that are finished."
            ) from error
        except BaseException:
            pool.shutdown(cancel_futures=True)
            raise


def in_order(
    executor: Executor, at_most: Callable[[], int], function: Callable[[Any], Any], items: Sequence[Any]
) -> Iterator[Any]:
    """``map`` over an executor, as ``Mapper`` promises; ``at_most``: how many calls may be given out at a time.

    No more are given out than are worked on soon: on a cluster what is given out cannot be taken back for certain.
    """
    waiting = deque(items)
    running: set[Future] = set()
    results: deque[Future] = deque()
    while waiting or results:
        while waiting and len(running) < at_most():
            results.append(executor.submit(function, waiting.popleft()))
            running.add(results[-1])
        ended, running = wait_for(running, return_when=FIRST_COMPLETED)
        if any(future.exception() is not None for future in ended):
            wait_for(running)
            # The first in the order of the items, as ``map`` would have met it.
            next(future for future in results if future.exception() is not None).result()
        while results and results[0].done():
            yield results.popleft().result()


def die_with_parent() -> None:
    """End this worker as soon as the process that started it is gone (killed, say), so that nothing works on unseen."""
    parent = parent_process()
    if parent is None:
        return

    def watch(sentinel: int) -> None:
        wait([sentinel])
        os._exit(1)

    threading.Thread(target=watch, args=(parent.sentinel,), daemon=True, name="watch-parent").start()


@contextmanager
def _dask_mapper(address: str) -> Iterator[Mapper]:
    try:
        from distributed import Client
        from distributed.scheduler import KilledWorker
    except ImportError as error:
        raise InputError("--dask needs Dask; pip install 'e2egraph[scale]'.") from error
    scheduler = {"scheduler_file": address} if Path(address).is_file() else {"address": address}
    try:
        client = Client(**scheduler, timeout=PATIENCE, set_as_default=False)
    except (OSError, ValueError, TypeError) as error:  # what it raises depends on the protocol of the address
        raise InputError(
            f"--dask {address}: no scheduler answers ({type(error).__name__}); start one with 'dask scheduler', "
            "or correct the address."
        ) from error

    def threads() -> int:
        return AHEAD * max(1, sum(client.nthreads().values()))

    def over_cluster(function: Callable[[Any], Any], items: Sequence[Any]) -> Iterator[Any]:
        try:
            # Not pure: an input that was corrected since must be read again.
            yield from in_order(client.get_executor(pure=False), threads, function, items)
        except KilledWorker as error:
            raise UnfinishedError(
                f"--dask {address}: a chunk's worker died again and again, most often for lack of memory; give the "
                "workers more and run the command again: it goes on from the shards that are finished."
            ) from error

    with client:
        if not client.scheduler_info()["workers"]:
            raise InputError(f"--dask {address}: the scheduler has no worker; start some with 'dask worker {address}'.")
        yield over_cluster
