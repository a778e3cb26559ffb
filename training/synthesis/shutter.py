"""How long and how often the shutter opens: the exposure tau and the period T of blurry frames (STRCNN+DTB, Eq. 1).

The sharp frame is the one in the middle of the exposure, X_{nT + (tau - 1) / 2}: the paper prints ceil(tau / 2), which,
of tau frames that are counted from 0, is the one after it.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np


@dataclass(frozen=True)
class Shutter:
    """Each blurry frame is the mean of tau frames of a high-speed video, and one starts every T of its frames.

    Attributes:
        taus: exposures to choose from, in frames, odd, so that one is in the middle; each clip has one.
        every: T is the smallest multiple of this that is not less than tau, so that exposures do not overlap; 0: T is
            any number with tau <= T < 2 * tau.
    """

    taus: tuple[int, ...]
    every: int = 0

    def __post_init__(self) -> None:
        if not self.taus or min(self.taus) < 1 or not all(tau % 2 for tau in self.taus) or self.every < 0:
            raise ValueError(
                f"Shutter: taus must be one or more odd numbers of at least 1 and every not negative, "
                f"got {self.taus} and {self.every}"
            )

    def exposure(self, rng: np.random.Generator) -> int:
        """One of the taus."""
        return int(rng.choice(self.taus))

    def period(self, tau: int, rng: np.random.Generator, multiple: int = 1) -> int:
        """A period for the exposure: of those that there are, a multiple of `multiple` if any is one."""
        periods = self._periods(tau)
        return int(rng.choice([period for period in periods if period % multiple == 0] or list(periods)))

    def span(self, frames: int) -> int:
        """The most frames of the video that so many exposures reach over."""
        return max((frames - 1) * max(self._periods(tau)) + tau for tau in self.taus)

    def shake(self, rng: np.random.Generator) -> tuple[float, float]:
        """Mean pixels of smear for a shaken still, up to a pixel from frame to frame of the high-speed video, and the
        part of a frame's time that the shutter is open."""
        tau = self.exposure(rng)
        duty = tau / self.period(tau, rng)
        return (tau - 1) * rng.uniform(0, 1), duty

    def _periods(self, tau: int) -> Sequence[int]:
        return [-(-tau // self.every) * self.every] if self.every else range(tau, 2 * tau)
