"""Where the work of a build runs: in this process, in processes of this machine, or on a Dask cluster."""

from __future__ import annotations

import os
import threading
from collections.abc import Callable, Iterable, Iterator, Sequence
from concurrent.futures import ProcessPoolExecutor
from concurrent.futures.process import BrokenProcessPool
from contextlib import contextmanager
from multiprocessing import get_context, parent_process
from multiprocessing.connection import wait
from pathlib import Path
from typing import Any

from e2egraph.errors import InputError, UnfinishedError

# ``map`` in the order of its items, wherever the work is done.
Mapper = Callable[[Callable[[Any], Any], Sequence[Any]], Iterable[Any]]

# Seconds to wait for an answer of the Dask scheduler.
PATIENCE = 10


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
            yield pool.map
        except BrokenProcessPool as error:
            raise UnfinishedError(
                "a worker process died, most often for lack of memory; use fewer --workers and run the command again: "
                "it goes on from the shards that are finished."
            ) from error
        except BaseException:
            pool.shutdown(cancel_futures=True)
            raise


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

    def over_cluster(function: Callable[[Any], Any], items: Sequence[Any]) -> Iterator[Any]:
        # Not pure: an input that was corrected since must be read again.
        futures = client.map(function, list(items), pure=False)
        try:
            for future in futures:
                yield future.result()
        except KilledWorker as error:
            raise UnfinishedError(
                f"--dask {address}: a chunk's worker died again and again, most often for lack of memory; give the "
                "workers more and run the command again: it goes on from the shards that are finished."
            ) from error
        finally:
            client.cancel(futures)

    with client:
        if not client.scheduler_info()["workers"]:
            raise InputError(f"--dask {address}: the scheduler has no worker; start some with 'dask worker {address}'.")
        yield over_cluster
