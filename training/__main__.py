"""`python -m vdeblur_fast.training RECIPE --data DIR`: trains a network by its recipe."""

import argparse
import dataclasses
import sys
import time
from pathlib import Path
from typing import Any

import torch

from vdeblur_fast.errors import UserError, told
from vdeblur_fast.memory import keep_memory

from . import distributed
from .arguments import budget, count, positive, seed
from .checkpoint import load_checkpoint
from .data import training_clips, validation_clips
from .precision import choose_device, choose_precision
from .recipes import Recipe, names, stages
from .run import Run
from .settings import SET, changed
from .trainer import Trainer
from .validation import Validation


def parser() -> argparse.ArgumentParser:
    made = argparse.ArgumentParser(
        prog="python -m vdeblur_fast.training",
        description="Trains a network by its recipe on blur made from sharp clips and stills. "
        "Give the same command again to continue a training that was stopped.",
        epilog="Several processes: torchrun --nproc-per-node N -m vdeblur_fast.training ...",
    )
    add = made.add_argument
    add("recipe", metavar="RECIPE", help=f"one of {', '.join(names())}, or a stage of one that has stages")
    add("--data", type=Path, required=True, metavar="DIR", help="folder of sharp clips and stills")
    add("--prepared", type=Path, action="append", metavar="DIR", help="train on samples made before; may come again")
    add(
        "--synthesis",
        default="cpu",
        choices=("cpu", "device"),
        help="device: shaken stills alone, rendered where the training runs",
    )
    add("--out", type=Path, metavar="DIR", help="where everything is written (default: runs/RECIPE)")
    add("--budget", type=budget, metavar="F", help="part of the recipe's steps to do, such as 0.01 (default 1)")
    add("--magnitude", type=Path, metavar="FILE", help="weights of the trained MMP-Net, for MMP-RNN")
    add("--init", type=Path, metavar="FILE", help="weights to start from")
    add(
        "--resume",
        default="auto",
        metavar="auto|no|PATH",
        help="checkpoint to continue (default: the one in --out)",
    )
    add("--steps", type=positive, metavar="N", help="optimizer steps (of each stage)")
    add("--batch", type=positive, metavar="N", help="clips of a step, over all processes")
    add("--crop", type=positive, metavar="N", help="side of a clip in pixels")
    add("--frames", type=positive, metavar="N", help="frames of a clip")
    add("--set", help="any other setting of the recipe", **SET)
    add(
        "--parts",
        type=positive,
        default=1,
        metavar="N",
        help="pieces of a batch per process, for less memory",
    )
    add("--workers", type=count, default=1, metavar="N", help="processes that make samples (default 1)")
    add("--device", default="auto", metavar="auto|cpu|cuda", help="where to train")
    add(
        "--precision",
        default="auto",
        metavar="auto|fp32|bf16",
        help="auto: bf16 where the device is fast at it and it is fine enough for the network",
    )
    add("--seed", type=seed, default=0, metavar="N")
    add("--val-every", type=positive, default=1000, metavar="N", help="steps between validations")
    add("--val-clips", type=count, default=16, metavar="N", help="clips of a validation; 0: none")
    add("--val-crop", type=positive, metavar="N", help="side of a validation clip (default: --crop)")
    add("--log-every", type=positive, default=50, metavar="N", help="steps between rows of log.csv")
    add("--minutes", type=float, metavar="M", help="save and stop after that long")
    add("--compile", action="store_true", help="torch.compile the network: for a GPU, and for bf16 on a CPU")
    add("--smoke", action="store_true", help="a few tiny steps, to see that everything runs")
    add("--quiet", action="store_true", help="no progress bar")
    return made


def settings_of(recipe: Recipe, arguments: argparse.Namespace) -> Recipe:
    """The recipe with what the command line changes. Raises UserError for a setting that it does not have."""
    recipe = recipe if arguments.budget is None else recipe.scaled(arguments.budget)
    recipe = recipe.smoke() if arguments.smoke else recipe
    changes: dict[str, Any] = {
        name: getattr(arguments, name)
        for name in ("steps", "batch", "crop", "frames")
        if getattr(arguments, name) is not None
    }
    return changed(dataclasses.replace(recipe, **changes), arguments.set)


def make_trainer(arguments: argparse.Namespace, recipe: Recipe, out: Path, minutes: float | None) -> Trainer:
    """Everything up to the first step. Raises UserError for what a user can get wrong."""
    device = choose_device(arguments.device, distributed.local_rank())
    if device.type == "cpu":
        keep_memory()  # every step asks for the same sizes again
    checkpoint = checkpoint_of(arguments.resume, out)
    if recipe.uses_magnitude() and not (checkpoint or arguments.magnitude or arguments.init or arguments.smoke):
        raise UserError(
            f"recipe {recipe.name} stands on a trained {recipe.magnitude_network}: train that first "
            f"and give its weights with --magnitude FILE"
        )
    torch.manual_seed(arguments.seed)
    task = recipe.make_task(arguments.magnitude, arguments.init)
    if not (checkpoint or arguments.init):
        recipe.take_over(task, out.parent)
    run = Run(
        out=out,
        device=device,
        dtype=choose_precision(arguments.precision, device, getattr(task.network, "fine", False)),
        seed=arguments.seed,
        parts=arguments.parts,
        workers=arguments.workers,
        log_every=1 if arguments.smoke else arguments.log_every,
        validate_every=arguments.val_every,
        minutes=minutes,
        compile=arguments.compile,
        quiet=arguments.quiet,
        data=arguments.data.resolve().name,
    )
    dataset = training_clips(arguments.data, recipe, run.seed, arguments.prepared, arguments.synthesis == "device")
    if arguments.val_crop:
        recipe.check_crop(task.network, arguments.val_crop, "--val-crop")
    trainer = Trainer(recipe, task, dataset, run, validation_of(recipe, arguments))
    if checkpoint:
        changed = trainer.resume(checkpoint)
        tell(arguments, "\n  ".join([f"continuing {checkpoint} at step {trainer.step}", *changed]))
    return trainer


def checkpoint_of(resume: str, out: Path) -> Path | None:
    """The checkpoint to continue from: a given one, the one in `out` if there is one, or none."""
    if resume == "no":
        return None
    if resume != "auto":
        return Path(resume)
    return found if (found := out / "checkpoint.pt").exists() else None


def validation_of(recipe: Recipe, arguments: argparse.Namespace) -> Validation | None:
    clips = min(arguments.val_clips, 2) if arguments.smoke else arguments.val_clips
    if not clips:
        return None
    dataset, split = validation_clips(arguments.data, recipe, clips, arguments.val_crop)
    if split == "test":
        tell(arguments, f"validating on test scenes of {arguments.data}, as papers' code does: compare last weights")
    if split == "train":
        tell(arguments, f"{arguments.data} has no val part; validating on other samples of its train part")
    return Validation(dataset, clips, arguments.workers)


def tell(arguments: argparse.Namespace, sentence: str) -> None:
    if not arguments.quiet and distributed.rank() == 0:
        print(sentence, file=sys.stderr)


def train(arguments: argparse.Namespace) -> bool:
    """Trains a recipe, or the stages of a course that are not done yet, each in a folder of its own. Whether it got to
    the end."""
    recipes = [settings_of(recipe, arguments) for recipe in stages(arguments.recipe)]
    out, begun = arguments.out or Path("runs") / arguments.recipe, time.monotonic()
    if len(recipes) == 1:
        return train_one(arguments, recipes[0], out, arguments.minutes)
    if arguments.init or arguments.resume not in ("auto", "no"):
        raise UserError(f"--init and --resume PATH are for one stage; name it instead of {arguments.recipe}")
    for recipe in recipes:
        folder = out / recipe.stage
        if arguments.resume == "auto" and done(recipe, folder / "checkpoint.pt"):
            continue
        tell(arguments, f"{recipe.name}: {recipe.steps} steps")
        left = None if arguments.minutes is None else arguments.minutes - (time.monotonic() - begun) / 60
        if not train_one(arguments, recipe, folder, left):
            return False
    return True


def train_one(arguments: argparse.Namespace, recipe: Recipe, out: Path, minutes: float | None) -> bool:
    trainer = make_trainer(arguments, recipe, out, minutes)
    finished = trainer.fit()
    if not finished:
        tell(arguments, f"stopped at step {trainer.step}; give the same command to continue")
    return finished


def done(recipe: Recipe, checkpoint: Path) -> bool:
    return checkpoint.exists() and load_checkpoint(checkpoint, mapped=True)["step"] >= recipe.steps


@told("vdeblur")
def main(argv: list[str] | None = None) -> int | None:
    """Trains; 0 when done, 2 for a mistake of the user's, 75 when it was stopped and can be continued."""
    arguments = parser().parse_args(argv)
    with distributed.process_group():
        finished = train(arguments)
    return 0 if finished else 75


if __name__ == "__main__":
    sys.exit(main())
