"""Work ahead in a background thread, a bounded number of items at most."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Iterator
from queue import Empty, Full, Queue
from typing import Generic, TypeVar

T = TypeVar("T")

# How often a thread that waits for room looks whether anybody still wants its items, in seconds.
_PATIENCE = 0.1


class _End:
    """Closes the queue; ``error`` is what stopped the producer, if anything did."""

    def __init__(self, error: BaseException | None) -> None:
        self.error = error


class Prefetch(Generic[T]):
    """Iterates over ``source()`` with up to ``depth`` items made ahead; an error of the source is raised here.

    ``wait_seconds`` is the time the consumer has spent waiting so far. Leaving the loop early stops the thread.
    """

    def __init__(self, source: Callable[[], Iterator[T]], depth: int) -> None:
        self._source, self._depth = source, depth
        self.wait_seconds = 0.0

    def __iter__(self) -> Iterator[T]:
        queue: Queue[T | _End] = Queue(self._depth)
        unwanted = threading.Event()
        thread = threading.Thread(target=self._produce, args=(queue, unwanted), daemon=True, name="prefetch")
        thread.start()
        try:
            while True:
                start = time.perf_counter()
                item = queue.get()
                self.wait_seconds += time.perf_counter() - start
                if isinstance(item, _End):
                    if item.error is not None:
                        raise item.error
                    return
                yield item
        finally:
            unwanted.set()
            while thread.is_alive():
                try:
                    queue.get_nowait()
                except Empty:
                    thread.join(_PATIENCE)

    def _produce(self, queue: Queue[T | _End], unwanted: threading.Event) -> None:
        error: BaseException | None = None
        items = self._source()
        try:
            for item in items:
                if not _put(queue, item, unwanted):
                    return
        except BaseException as caught:
            error = caught
        finally:
            close = getattr(items, "close", None)
            if close is not None:
                close()
            _put(queue, _End(error), unwanted)


def _put(queue: Queue[T | _End], item: T | _End, unwanted: threading.Event) -> bool:
    """Put as soon as there is room; False when nobody wants items any more."""
    while not unwanted.is_set():
        try:
            queue.put(item, timeout=_PATIENCE)
            return True
        except Full:
            continue
    return False
