"""A training of a toy network, as a program.

    python -m tests.training.toy_training OUT KIND[,KIND...] STEPS [WORKERS] [PAUSE]

PAUSE, in milliseconds, is how long a clip takes to make.
"""

import sys
import time
from pathlib import Path

import torch

from tests.training.toys import Clips, toy_clips, toy_recipe
from vdeblur_fast.training import distributed
from vdeblur_fast.training.run import Run
from vdeblur_fast.training.trainer import Trainer
from vdeblur_fast.training.validation import Validation


class SlowClips(Clips):
    pause = 0.0

    def __getitem__(self, number):
        time.sleep(self.pause)
        return super().__getitem__(number)


def train(out: Path, kind: str, steps: int, workers: int = 0, pause: int = 0) -> bool:
    """Trains, or continues where OUT holds a checkpoint. Whether it got to the end."""
    torch.set_num_threads(1)
    torch.manual_seed(0)
    recipe = toy_recipe(kind, steps=steps)
    run = Run(out=out, quiet=True, log_every=1, validate_every=2, workers=workers, checkpoint_seconds=0.0)
    SlowClips.pause = pause / 1000
    clips = toy_clips(kind, clips=SlowClips)
    trainer = Trainer(recipe, recipe.make_task(), clips, run, Validation(toy_clips(kind, 9), 3))
    if trainer.checkpoint.exists():
        trainer.resume(trainer.checkpoint)
    return trainer.fit()


if __name__ == "__main__":
    folder, kinds, *numbers = sys.argv[1:]
    with distributed.process_group():
        done = [train(Path(folder) / kind, kind, *map(int, numbers)) for kind in kinds.split(",")]
    sys.exit(0 if all(done) else 75)
