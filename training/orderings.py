"""`python -m vdeblur_fast.training.orderings PAPER --data DIR --out OUT`: trains the networks that a paper compares,
each from several seeds at an equal small budget, and says which of its orderings show.

Give the same command again to go on where it stopped. Everything is in OUT: a folder for each training, and PAPER.csv
with a row for each.
"""

import argparse
import csv
import json
import sys
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import zip_longest
from pathlib import Path
from statistics import mean, stdev
from typing import Any

import torch
from torch.utils.data import DataLoader

from vdeblur_fast import weights
from vdeblur_fast.errors import UserError, told
from vdeblur_fast.reference.networks import build

from .__main__ import main as train
from .arguments import count, positive
from .checkpoint import written_whole
from .data import validation_clips
from .export import export
from .recipes import find
from .tasks import Batch

CLIP = 128  # side of the clips that are measured, in pixels
# Clips above that are left out: a tenth of a level more or less in one that is nearly sharp is decibels, and would
# outweigh all others.
BLURRY = 35.0
COLUMNS = ("paper", "network", "seed", "steps", "batch", "crop", "clips", "gain", "worst", "psnr_blurry")
COLUMNS += ("minutes", "precision")


@dataclass(frozen=True)
class Ordering:
    """Networks that a paper compares, the best first, by the recipes that train them here; and where it says so."""

    source: str
    recipes: tuple[str, ...]


ORDERINGS = {
    "strcnn": Ordering("STRCNN+DTB, Table 1", ("strcnn-dtb-short", "strcnn-short", "cnn-short")),
    "mmp-rnn": Ordering("MMP-RNN, Table 4", ("mmp-rnn-tiny", "mmp-rnn-tiny-no-mmam", "mmp-rnn-tiny-no-mmam-no-ndf")),
    "gsta": Ordering("GSTA, Table 3", ("gsta-net3-small", "gsta-net2-small", "gsta-net1-small")),
    "david": Ordering(
        "DAVID, Table 1", ("david-small-short", "david-small-internal-short", "david-small-single7-short")
    ),
}


def verdict(better: Sequence[float], worse: Sequence[float]) -> tuple[float, str]:
    """The mean of what the one gains over the other, seed by seed, and whether that shows: when all seeds agree and
    the mean is more than twice its standard error. At least two seeds each."""
    differences = [one - other for one, other in zip(better, worse, strict=True)]
    found, error = mean(differences), stdev(differences) / len(differences) ** 0.5
    alike = all(d > 0 for d in differences) or all(d < 0 for d in differences)
    if not alike or abs(found) <= 2 * error:
        return found, "does not show"
    return found, "shows" if found > 0 else "is the other way round"


def table(rows: Sequence[dict[str, Any]]) -> str:
    """Markdown: each network's gain with its spread over the seeds, and each pair's verdict."""
    lines = ["| paper | network | seeds | steps | gain, dB | spread | over the next |", "|---|---|---|---|---|---|---|"]
    for paper, ordering in ORDERINGS.items():
        gains: dict[str, dict[int, float]] = {}
        steps = {found["network"]: found["steps"] for found in rows if found["paper"] == paper}
        for found in rows:
            if found["paper"] == paper:
                gains.setdefault(found["network"], {})[found["seed"]] = found["gain"]
        networks = [name for recipe in ordering.recipes if (name := find(recipe).network) in gains]
        for name, following in zip_longest(networks, networks[1:]):
            own = list(gains[name].values())
            spread = f"{stdev(own):.3f}" if len(own) > 1 else ""
            both = sorted(gains[name].keys() & gains.get(following, {}).keys())
            over = ""
            if len(both) > 1:
                more, says = verdict(*([gains[net][seed] for seed in both] for net in (name, following)))
                over = f"{more:+.3f}: {says}"
            lines.append(
                f"| {ordering.source} | `{name}` | {len(own)} | {steps[name]} | {mean(own):+.3f} | {spread} | {over} |"
            )
    return "\n".join(lines) + "\n"


def parser() -> argparse.ArgumentParser:
    made = argparse.ArgumentParser(
        prog="python -m vdeblur_fast.training.orderings", description=__doc__.split("\n\n")[0]
    )
    add = made.add_argument
    add("papers", nargs="+", choices=[*ORDERINGS], metavar="PAPER", help=f"of {', '.join(ORDERINGS)}")
    add("--data", type=Path, required=True, metavar="DIR", help="folder of sharp clips and stills")
    add("--prepared", type=Path, action="append", metavar="DIR", help="train on samples made before; may come again")
    add("--out", type=Path, required=True, metavar="OUT", help="where everything is written")
    add("--seeds", type=positive, default=3, metavar="N", help="trainings of each network (default 3)")
    add("--steps", type=positive, default=200, metavar="N", help="of each training (default 200)")
    add("--batch", type=positive, default=8, metavar="N", help="clips of a step (default 8)")
    add("--crop", type=positive, default=64, metavar="N", help="side of a clip in pixels (default 64)")
    add("--clips", type=positive, default=96, metavar="N", help="clips to measure, those that are blurry (default 96)")
    add("--precision", default="auto", metavar="auto|fp32|bf16", help="as for a training")
    add("--workers", type=count, default=1, metavar="N", help="processes that make samples (default 1)")
    add("--quiet", action="store_true", help="no progress bar")
    return made


def row(paper: str, card: Path, measured: dict[str, float]) -> dict[str, Any]:
    """What the card of a finished training says, and what was measured of it."""
    found = json.loads(card.read_text(encoding="utf-8"))
    settings = {name: found["settings"][name] for name in ("steps", "batch", "crop")}
    about = {"minutes": round(found["hours"] * 60, 2), "precision": found["precision"]}
    return {"paper": paper, "network": found["network"], "seed": found["seed"], **settings, **measured, **about}


@torch.no_grad()
def measure(recipe: str, trained: Path, clips: list[Batch]) -> dict[str, float]:
    """Gain and least gain over those of the clips that are blurry, in dB, in float32."""
    task = find(recipe).make_task(init=str(trained)).eval()
    found = [task.measure(task.network, clip) for clip in clips]
    found = [one for one in found if one["psnr_blurry"] < BLURRY]
    if not found:
        raise UserError(
            f"none of {len(clips)} clips is blurry (below {BLURRY:g} dB); give more --clips or other --data"
        )
    gains = [one["gain"] for one in found]
    before = mean(one["psnr_blurry"] for one in found)
    return {"clips": len(found), "gain": mean(gains), "worst": min(gains), "psnr_blurry": before}


def done(card: Path, options: argparse.Namespace) -> bool:
    """Whether a training of that size, on that data, has come to its end."""
    if not card.exists():
        return False
    found = json.loads(card.read_text(encoding="utf-8"))
    wanted = {name: getattr(options, name) for name in ("steps", "batch", "crop")}
    same = found["steps"] == options.steps and found["data"] == options.data.resolve().name
    return same and wanted.items() <= found["settings"].items()


def command(recipe: str, out: Path, seed: int, options: argparse.Namespace) -> list[str]:
    """What one would type to do a training alone."""
    warmup = min(find(recipe).warmup, options.steps // 10)
    typed = [recipe, "--data", options.data, "--out", out, "--seed", seed, "--steps", options.steps]
    typed += ["--batch", options.batch, "--crop", options.crop, "--set", f"warmup={warmup}"]
    typed += ["--val-clips", 0, "--precision", options.precision, "--workers", options.workers]
    typed += [part for folder in options.prepared or () for part in ("--prepared", folder)]
    typed += ["--magnitude", _magnitude_net(options.out)] if find(recipe).uses_magnitude() else []
    typed += ["--quiet"] if options.quiet else []
    return [str(part) for part in typed]


def _magnitude_net(folder: Path) -> Path:
    """The MMP-Net of the weights that ship, in a file of its own: what MMP-RNN's trainings stand on."""
    path = folder / "mmp-net-tiny.safetensors"
    if not path.exists():
        weights.load(network := build("mmp-rnn-tiny"), "mmp-rnn-tiny")
        export(network.magnitude_net, path, {"network": "mmp-net-tiny"})
    return path


def write(rows: Sequence[dict[str, Any]], path: Path) -> None:
    with written_whole(path) as part, part.open("w", newline="", encoding="utf-8") as file:
        writer = csv.DictWriter(file, COLUMNS, lineterminator="\n")
        writer.writeheader()
        writer.writerows(rows)


@told("vdeblur")
def main(argv: list[str] | None = None) -> int | None:
    """Trains and prints the table; 0 when done, 2 for a mistake of the user's, 75 when it was stopped."""
    options = parser().parse_args(argv)
    options.out.mkdir(parents=True, exist_ok=True)
    rows: list[dict[str, Any]] = []
    for paper in dict.fromkeys(options.papers):
        dataset, _ = validation_clips(options.data, find(ORDERINGS[paper].recipes[0]), options.clips, CLIP)
        clips = list(DataLoader(dataset, 1, sampler=range(options.clips)))
        for seed in range(options.seeds):
            for recipe in ORDERINGS[paper].recipes:
                out = options.out / recipe / f"seed{seed}"
                card = out / "last.json"
                if not done(card, options) and (code := train(command(recipe, out, seed, options))):
                    return code
                rows.append(row(paper, card, measure(recipe, card.with_suffix(".safetensors"), clips)))
                write([one for one in rows if one["paper"] == paper], options.out / f"{paper}.csv")
    print(table(rows), end="")
    return 0


if __name__ == "__main__":
    sys.exit(main())
