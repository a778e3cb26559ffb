"""Power laws through measured points: how a cost grows, and where it meets a limit."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np


@dataclass(frozen=True)
class Law:
    """y = factor * x ** exponent, and how far at most a point is off it (0.1 is ten per cent)."""

    factor: float
    exponent: float
    error: float

    def at(self, x: float) -> float:
        return self.factor * x**self.exponent

    def reaches(self, y: float) -> float:
        """The x at which the law gives y; infinite where it does not grow."""
        return (y / self.factor) ** (1 / self.exponent) if self.exponent > 0 else float("inf")


def fit(xs: Sequence[float], ys: Sequence[float]) -> Law:
    """The law with the least squares of the logarithms.

    Raises ValueError for fewer than two different xs, or for values that are not above zero.
    """
    x, y = np.asarray(xs, float), np.asarray(ys, float)
    if len(np.unique(x)) < 2 or x.shape != y.shape:
        raise ValueError(f"a fit needs two points at different places and a value for each, got x={list(xs)}")
    if min(x.min(), y.min()) <= 0:
        raise ValueError("a power law goes through positive values only")
    exponent, logarithm = np.polyfit(np.log(x), np.log(y), 1)
    law = Law(float(np.exp(logarithm)), float(exponent), 0.0)
    return Law(law.factor, law.exponent, float(np.abs(y / law.factor / x**law.exponent - 1).max()))
