"""Stopping on request: a signal is noted, and the training stops where its state is whole."""

from __future__ import annotations

import signal
import threading
from types import FrameType, TracebackType

# What batch systems send before they kill (SIGUSR1: SLURM's --signal=USR1@120), and Ctrl-C.
_SIGNALS = (signal.SIGTERM, signal.SIGINT, signal.SIGUSR1)


class StopRequests:
    """While the ``with`` block runs, SIGTERM, SIGUSR1 and Ctrl-C set ``received`` instead of ending the process.

    A second Ctrl-C ends it at once. Outside the main thread signals are left as they are.
    """

    def __init__(self) -> None:
        self.received: int = 0
        self._before: dict[int, object] = {}

    @property
    def exit_code(self) -> int:
        """As shells count: 128 and the signal's number; 143 for SIGTERM, 130 for Ctrl-C."""
        return 128 + (self.received or signal.SIGTERM)

    def __enter__(self) -> StopRequests:
        if threading.current_thread() is threading.main_thread():
            for number in _SIGNALS:
                self._before[number] = signal.signal(number, self._note)
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        for number, handler in self._before.items():
            signal.signal(number, handler)  # type: ignore[arg-type]
        self._before.clear()

    def _note(self, number: int, frame: FrameType | None) -> None:
        if number == signal.SIGINT and self.received == signal.SIGINT:
            raise KeyboardInterrupt
        self.received = number
