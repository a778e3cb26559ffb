"""The training loop: steps, log, validation, checkpoints.

The samples and the random numbers of a step depend on its number alone, and everything that changes from step
to step is in the checkpoint: a training that is killed and continued ends with the same weights, bit for bit,
as one that is not.
"""

import math
import os
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import torch
from torch.utils.data import DataLoader, Dataset
from tqdm import tqdm

from vdeblur_fast.errors import UserError

from . import distributed
from .checkpoint import load_checkpoint, save_checkpoint
from .export import commit, export
from .log import Log
from .recipes import Recipe
from .run import Run
from .sampling import StepSampler
from .signals import Stop, ignore_signals, stop_on_signals
from .stepper import Stepper
from .tasks import Batch, Task
from .validation import Validation


class Trainer:
    """Trains `task` by `recipe` on `dataset`.

    dataset[number] for number = 0, 1, 2, ... is a clip: the same for the same number. validation may be None.
    `fit` writes to run.out: checkpoint.pt, log.csv, and the averaged weights with a card each,
    last.safetensors and, where there is a validation, best.safetensors.
    """

    def __init__(self, recipe: Recipe, task: Task, dataset: Dataset, run: Run, validation: Validation | None = None):
        shares = distributed.world_size() * run.parts
        if recipe.batch % shares:
            raise UserError(
                f"--batch {recipe.batch} cannot be shared by {distributed.world_size()} processes "
                f"in {run.parts} parts each; choose a multiple of {shares}"
            )
        self.recipe, self.run, self.dataset, self.validation = recipe, run, dataset, validation
        self.task = task
        self.stepper = Stepper(recipe, task, run)
        self.seconds = 0.0
        self.best: dict[str, float] = {}
        self.measured: dict[str, float] = {}

    @property
    def step(self) -> int:
        """Steps done."""
        return self.stepper.step

    @property
    def checkpoint(self) -> Path:
        return self.run.out / "checkpoint.pt"

    def fit(self) -> bool:
        """Trains to the last step. True when it got there; False when it was stopped before, having saved."""
        self._log = self._open_log()
        started = saved = time.monotonic()
        seconds_before = self.seconds
        with stop_on_signals() as stop, self._progress() as bar:
            for parts in self._batches():
                self.stepper(parts)
                now = time.monotonic()
                self.seconds = seconds_before + now - started
                bar.update()
                self._record(bar)
                late = self.run.minutes is not None and now - started > 60 * self.run.minutes
                if self.step == self.recipe.steps or self._asked(stop, late):
                    break
                if now - saved >= self.run.checkpoint_seconds:
                    self.save()
                    saved = time.monotonic()
        self.save()
        distributed.wait()
        return self.step == self.recipe.steps

    def _batches(self) -> Iterator[list[Batch]]:
        """This process' share of each step's batch, in parts, from the step where we are to the last."""
        run, rank, world = self.run, distributed.rank(), distributed.world_size()
        loader = DataLoader(
            self.dataset,
            batch_sampler=StepSampler(self.step, self.recipe.steps, self.recipe.batch, rank, world, run.parts),
            num_workers=run.workers,
            worker_init_fn=begin_worker,
            pin_memory=run.device.type == "cuda",
            generator=torch.Generator(),
            collate_fn=getattr(self.dataset, "collate", None),
        )
        # what workers can only prepare is made here, on the device
        finish = getattr(self.dataset, "render", lambda batch, device: batch)
        batches = iter(loader)
        for _ in range(self.step, self.recipe.steps):
            yield [finish(next(batches), run.device) for _ in range(run.parts)]

    def _asked(self, stop: Stop, late: bool) -> bool:
        """Whether to stop: all processes in the same step, when one of them is asked to."""
        asked = bool(stop) or late
        return asked if distributed.world_size() == 1 else distributed.anyone(asked)

    def _record(self, bar: tqdm) -> None:
        """Writes a row of the log and validates, in the steps where that is due."""
        last = self.step == self.recipe.steps
        validate = self.validation is not None and (last or self.step % self.run.validate_every == 0)
        if not (validate or last or self.step % self.run.log_every == 0):
            return
        row = {"step": self.step, "seconds": self.seconds, "lr": self.recipe.learning_rate_at(self.step - 1)}
        row |= self.stepper.averages()
        wrong = next((name for name in ("loss", "gradient_norm") if not math.isfinite(row[name])), None)
        if wrong:
            raise UserError(
                f"the {wrong.replace('_', ' ')} is not a finite number at step {self.step}: lower the learning rate "
                f"and continue from {self.checkpoint}"
            )
        if validate:
            row |= {f"val_{name}": value for name, value in self.validate().items()}
        if distributed.rank() == 0:
            self._log.write(row)
            bar.set_postfix_str(f"loss {row['loss']:.4f}")
            if validate:
                found = ", ".join(f"{name} {value:.4g}" for name, value in self.measured.items())
                bar.write(f"step {self.step}: {found}", sys.stderr)

    def validate(self) -> dict[str, float]:
        """Measures the averaged weights and writes them: as last and, where they are so far, as best."""
        average = self.stepper.ema.network
        self.measured = self.validation(self.task, average, self.run.device, self.run.dtype)
        score, earlier = self.measured[self.task.score], self.best.get(self.task.score)
        better = earlier is None or (score != earlier and self.task.best(score, earlier) == score)
        if better:
            self.best = {"step": self.step, **self.measured}
        if distributed.rank() == 0:
            for name in ["last", "best"] if better else ["last"]:
                export(average, self.run.out / f"{name}.safetensors", self.card())
        return self.measured

    def card(self) -> dict[str, Any]:
        """What the file of the weights says about itself."""
        return {
            "network": self.recipe.network,
            "recipe": self.recipe.name,
            "data": self.run.data,
            "steps": self.step,
            "hours": round(self.seconds / 3600, 3),
            "commit": commit(),
            "validation": {
                "clips": self.validation.clips if self.validation else 0,
                **{name: round(value, 4) for name, value in self.measured.items()},
            },
            "settings": self.recipe.settings(),
            "seed": self.run.seed,
            "precision": str(self.run.dtype).removeprefix("torch."),
            "torch": torch.__version__,
        }

    def save(self) -> None:
        """Writes the checkpoint (one process does) and, without a validation, the averaged weights."""
        if distributed.rank() != 0 or not self.stepper.healthy():
            return  # where a loss is not finite, the checkpoint that is there is the last good one
        about = {"recipe": self.recipe.name, "settings": self.recipe.settings(), "seed": self.run.seed}
        progress = {"seconds": self.seconds, "best": self.best, "measured": self.measured}
        save_checkpoint(self.checkpoint, {**about, **progress, **self.stepper.state()})
        if self.validation is None:
            export(self.stepper.ema.network, self.run.out / "last.safetensors", self.card())

    def resume(self, path: Path) -> list[str]:
        """Continues from a checkpoint. Returns the settings that are not as they were: "batch 4 -> 8".

        Raises UserError for a damaged file, the checkpoint of another network, or one whose optimizer has other groups.
        """
        state = load_checkpoint(path)
        trained = state["settings"]["network"]
        if trained != self.recipe.network:
            raise UserError(f"{path} is a training of {trained}, not of {self.recipe.network}; choose another --out")
        if state["step"] > self.recipe.steps:
            raise UserError(f"{path} is at step {state['step']} already; give more --steps, or another --out")
        if state["settings"].get("optimizer") != self.recipe.optimizer or not self.stepper.fits(state):
            raise UserError(
                f"{path} was trained with another optimizer, or other weights at a rate of their own; leave optimizer, "
                "skip_rate, hold_picture and frozen as they were, or begin anew with --init and another --out"
            )
        self.stepper.load(state)
        self.seconds, self.best, self.measured = state["seconds"], state["best"], state["measured"]
        before = {**state["settings"], "seed": state["seed"]}
        now = {**self.recipe.settings(), "seed": self.run.seed}
        return [f"{name} {before.get(name)} -> {v}" for name, v in now.items() if before.get(name) != v]

    def _open_log(self) -> Log | None:
        if distributed.rank() != 0:
            return None
        columns = ["step", "seconds", "lr", *self.task.losses, "gradient_norm"]
        columns += [f"val_{name}" for name in (*self.task.columns, "worst")]
        return Log(self.run.out / "log.csv", columns, self.step)

    def _progress(self) -> tqdm:
        quiet = self.run.quiet or distributed.rank() != 0
        return tqdm(total=self.recipe.steps, initial=self.step, unit="step", disable=quiet, mininterval=1)


def begin_worker(number: int) -> None:
    """A process that makes samples: one thread, and behind the training itself where cores are few."""
    ignore_signals()
    os.nice(5)
    torch.set_num_threads(1)
