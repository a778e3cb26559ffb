"""Times with their spread, not medians alone."""

import statistics
import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import torch

LEAST, MOST = 3, 25
BRIEF = 1.0  # seconds: what takes longer needs no run to warm up


@dataclass(frozen=True)
class Spread:
    """Milliseconds: the median of so many rounds, and the quartiles around it."""

    median_ms: float
    low_ms: float
    high_ms: float
    rounds: int


def synchronize() -> None:
    if torch.cuda.is_available():
        torch.cuda.synchronize()


def spread(times: list[float]) -> Spread:
    low, median, high = statistics.quantiles(times, n=4, method="inclusive")
    return Spread(median, low, high, len(times))


def clock(function: Callable[[], Any]) -> float:
    """Milliseconds of one call."""
    synchronize()
    begin = time.perf_counter()
    function()
    synchronize()
    return 1e3 * (time.perf_counter() - begin)


def take_turns(contenders: dict[str, Callable[[], Any]], seconds: float) -> dict[str, Spread]:
    """Times all contenders, one after the other, round after round, in an order that rotates, so that
    a slow moment is everybody's and nobody always comes after the same.

    It goes on for about so many seconds for each of them, at least three rounds.
    """
    times: dict[str, list[float]] = {name: [] for name in contenders}
    for name, function in contenders.items():
        if (first := clock(function)) > 1e3 * BRIEF:
            times[name].append(first)
    order = list(contenders)
    end = time.perf_counter() + seconds * len(contenders)
    while min(map(len, times.values())) < LEAST or (time.perf_counter() < end and max(map(len, times.values())) < MOST):
        for name in order:
            times[name].append(clock(contenders[name]))
        order.append(order.pop(0))
    return {name: spread(found) for name, found in times.items()}
