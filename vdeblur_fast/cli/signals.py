"""Stopping from outside: Ctrl-C and its kin become an exception, which tidies up on its way out."""

import contextlib
import signal
import threading
import time
from collections.abc import Iterator

SIGNALS = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)
IMPATIENCE = 2  # seconds in which a second Ctrl-C does not stop the tidying up


class Stopped(BaseException):
    """Somebody asked the command to stop."""

    def __init__(self, number: int):
        super().__init__(signal.Signals(number).name)
        self.signal = number


@contextlib.contextmanager
def raise_on_signals(last_act: bool = False) -> Iterator[None]:
    """Inside, SIGINT, SIGTERM and SIGHUP raise Stopped in the main thread; those ignored (nohup) stay so.

    last_act: the process ends after this, and no signal may disturb it; else all is as before afterwards.
    """
    if threading.current_thread() is not threading.main_thread():
        yield
        return
    last = float("-inf")

    def stop(number: int, frame: object) -> None:
        nonlocal last
        previous, last = last, time.monotonic()
        if last - previous > IMPATIENCE:
            raise Stopped(number)

    handlers = {number: signal.getsignal(number) for number in SIGNALS}
    changed = [number for number, handler in handlers.items() if handler is not signal.SIG_IGN]
    for number in changed:
        signal.signal(number, stop)
    try:
        yield
    finally:
        for number in changed:
            signal.signal(number, signal.SIG_IGN if last_act else handlers[number])
