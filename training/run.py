"""Where and with what a recipe is trained."""

from dataclasses import dataclass
from pathlib import Path

import torch

CPU = torch.device("cpu")


@dataclass(frozen=True, kw_only=True)
class Run:
    """The circumstances of a training: none changes what is computed, but for the seed and the precision.

    out: folder of everything that is written. dtype: of the forward pass. parts: pieces that each process
    cuts its share of a batch into, for less memory. workers: processes that make samples. log_every,
    validate_every: steps between two rows of the log, two validations. checkpoint_seconds: between two
    checkpoints. minutes: stop after that long, to be continued. data: what the card says it was trained on.
    """

    out: Path
    device: torch.device = CPU
    dtype: torch.dtype = torch.float32
    seed: int = 0
    parts: int = 1
    workers: int = 0
    log_every: int = 50
    validate_every: int = 1000
    checkpoint_seconds: float = 120
    minutes: float | None = None
    compile: bool = False
    quiet: bool = False
    data: str = ""
