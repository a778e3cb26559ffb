"""The learning rate as a function of the step alone: nothing to save, nothing to restore."""

import math
from typing import Literal

Schedule = Literal["cosine", "halve", "staircase", "constant"]


def learning_rate(
    step: int,
    steps: int,
    peak: float,
    final: float = 1e-8,
    warmup: int = 0,
    schedule: Schedule = "cosine",
    decay: float = 0.5,
    decay_every: int = 1,
) -> float:
    """The learning rate of step 0..steps-1.

    It rises in a straight line to `peak` in the first `warmup` steps. Then "cosine" falls to `final` along
    half a cosine, "halve" is half of `peak` in the second half, "staircase" falls to its `decay`-th part every
    `decay_every` steps, and "constant" stays.
    """
    if step < warmup:
        return peak * (step + 1) / warmup
    progress = (step - warmup) / max(1, steps - 1 - warmup)
    match schedule:
        case "cosine":
            return final + (peak - final) * 0.5 * (1 + math.cos(math.pi * min(1.0, progress)))
        case "halve":
            return peak if step < steps / 2 else peak / 2
        case "staircase":
            return peak * decay ** (step // decay_every)
        case "constant":
            return peak
    raise ValueError(f'learning_rate: schedule must be "cosine", "halve", "staircase" or "constant", got {schedule!r}')
