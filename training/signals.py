"""Stopping a training from outside: the step is finished, everything is saved, and then it ends."""

import contextlib
import signal
import threading
from collections.abc import Iterator


class Stop:
    """Whether somebody asked to stop, and with which signal."""

    def __init__(self) -> None:
        self.signal: int | None = None

    def __bool__(self) -> bool:
        return self.signal is not None


@contextlib.contextmanager
def stop_on_signals() -> Iterator[Stop]:
    """SIGTERM and the first Ctrl-C only set the flag; a second one ends the process at once."""
    stop = Stop()
    if threading.current_thread() is not threading.main_thread():
        yield stop
        return

    def ask(number: int, frame: object) -> None:
        stop.signal = number
        signal.signal(number, previous[number])

    previous = {number: signal.signal(number, ask) for number in (signal.SIGTERM, signal.SIGINT)}
    try:
        yield stop
    finally:
        for number, handler in previous.items():
            signal.signal(number, handler)


def ignore_signals() -> None:
    """For processes that serve the training: they end with it, not before it has finished its step."""
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, signal.SIG_IGN)
