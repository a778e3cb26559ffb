"""`vdeblur evaluate`: how much nearer to their sharp versions a network brings blurry clips."""

import argparse
import json
import sys
from collections import deque
from collections.abc import Callable
from itertools import zip_longest
from pathlib import Path
from statistics import median
from typing import TYPE_CHECKING, NamedTuple

from .datasets import border_of, dataset_pairs, row, row_text, weighs_frames
from .options import OptionError, add_network_options, make_deblurrer, whole
from .pairs import Pair, PairError, check_names, check_places, find_pairs
from .progress import Progress

if TYPE_CHECKING:
    from ..engine import Deblurrer
    from ..video import Frame
    from .quality import Quality


class Score(NamedTuple):
    """A clip's quality as it came and as it left, mean over its frames."""

    name: str
    frames: int
    before: "Quality"
    after: "Quality"

    @property
    def gain(self) -> float:
        """PSNR gained, in dB."""
        return self.after.psnr - self.before.psnr

    def report(self) -> dict:
        return {
            "name": self.name,
            "frames": self.frames,
            "psnr_before": round(self.before.psnr, 4),
            "psnr_after": round(self.after.psnr, 4),
            "psnr_gain": round(self.gain, 4),
            "ssim_before": round(self.before.ssim, 5),
            "ssim_after": round(self.after.ssim, 5),
            "worse": self.gain < 0,
        }


def add_parser(subparsers) -> argparse.ArgumentParser:
    parser = subparsers.add_parser(
        "evaluate",
        help="measure PSNR and SSIM against sharp clips",
        description="Sharpens blurry clips whose sharp version is known, and prints PSNR and SSIM before and "
        "after: per clip, the mean over its frames; the mean over clips, and the median gain. Clips of two folders are "
        "matched by name. With --dataset the test part of GOPRO_Large, DVD or BSD is measured as the papers do, "
        "and the row of the paper's table printed beside: the mean over frames (of DVD: over clips), of MMP-RNN and "
        "ESTRNN without the first and last two frames of each clip. Images are rounded to 8 bits; MMP-RNN's and "
        "ESTRNN's code cuts them off, which makes the PSNR a few hundredths of a dB lower.",
    )
    add = parser.add_argument
    add("--blurry", type=named("--blurry"), metavar="A", help="a video, a folder of images, or a folder of clips")
    add("--sharp", type=named("--sharp"), metavar="B", help="the same clips, sharp")
    add("--dataset", type=named("--dataset"), metavar="DIR", help="a folder with GOPRO_Large, DVD or BSD, instead")
    parser.add_argument(
        "--border",
        type=whole("--border", 0),
        metavar="N",
        help="frames at each end of a clip that do not count (0; with --dataset that of the network's paper)",
    )
    parser.add_argument("--json", action="store_true", help="print JSON instead of a table")
    parser.add_argument("--quiet", action="store_true", help="show no progress")
    add_network_options(parser)
    return parser


def named(option: str) -> Callable[[str], Path]:
    """Reads a path; what a shell makes of a variable that is not set is not the folder one is in."""

    def read(text: str) -> Path:
        if not text:
            raise OptionError(f"{option} is empty; name a video file or a folder")
        return Path(text)

    return read


def execute(options: argparse.Namespace) -> None:
    dataset, pairs = chosen(options)
    border = options.border if options.border is not None else border_of(options.model) if dataset else 0
    deblurrer = make_deblurrer(options)
    scores = []
    for number, pair in enumerate(pairs, 1):
        label = f"{pair.name} ({number} of {len(pairs)})"
        scores.append(measure(pair, deblurrer, options.quiet, label, border))
    overall = average(scores, by_frames=dataset is not None and weighs_frames(dataset))
    paper = row(dataset, options.model, *overall.after) if dataset else None
    if options.json:
        print(as_json(options, scores, overall, paper))
    else:
        print("\n\n".join([table(scores, overall), *([row_text(paper)] if paper else [])]))


def chosen(options: argparse.Namespace) -> tuple[str | None, list[Pair]]:
    """The data set's name, if it is one, and the clips."""
    given = (options.blurry is not None, options.sharp is not None)
    if options.dataset is not None:
        if any(given):
            raise OptionError("--dataset brings its own clips; leave out --blurry and --sharp")
        return dataset_pairs(options.dataset)
    if not all(given):
        raise OptionError("give --blurry and --sharp, or --dataset")
    return None, find_pairs(options.blurry, options.sharp)


def average(scores: list[Score], by_frames: bool = False) -> Score:
    """The mean over clips, or over all their frames."""
    from .quality import mean

    weights = [score.frames if by_frames else 1 for score in scores]
    parts = [mean([getattr(score, part) for score in scores], weights) for part in ("before", "after")]
    return Score("mean", sum(score.frames for score in scores), *parts)


def measure(pair: Pair, deblurrer: "Deblurrer", quiet: bool = True, label: str = "", border: int = 0) -> Score:
    """Sharpens a pair's blurry clip and compares both versions of each frame with the sharp one; `border` frames at
    each end are sharpened but not counted.

    Raises PairError where the clips differ in the size, the number or the names of their frames, or in which of them
    can be read, or where nothing is left to count.
    """
    from ..video import open_reader
    from .quality import mean, quality

    truths: deque = deque()
    before, after = [], []

    def compare(images: list) -> None:
        for image in images:
            after.append(quality(image, truths.popleft()))
            progress.advance()

    blurry, sharp = open_reader(pair.blurry, upright=True), open_reader(pair.sharp, upright=True)
    check_names(blurry, sharp)
    with Progress(blurry.frames_estimate, quiet, label) as progress:
        for source, truth in zip_longest(blurry, sharp):
            check(pair, len(before), source, truth)
            check_places([(blurry, source), (sharp, truth)], len(before))
            before.append(quality(source.image, truth.image))
            truths.append(truth.image)
            compare(deblurrer.push(source.image))
        compare(deblurrer.flush())
    for problem in [*blurry.problems, *sharp.problems]:
        print(f"vdeblur: {problem}", file=sys.stderr)
    if len(before) <= 2 * border:
        raise PairError(
            f"{pair.blurry} has {len(before)} frames, of which {border} at each end do not count (--border)"
        )
    counted = slice(border, len(before) - border)
    return Score(pair.name, len(before[counted]), mean(before[counted]), mean(after[counted]))


def check(pair: Pair, frames: int, source: "Frame | None", truth: "Frame | None") -> None:
    """Whether the next frames of both clips can be compared; `frames` came before."""
    if source is None or truth is None:
        short, long = (pair.blurry, pair.sharp) if source is None else (pair.sharp, pair.blurry)
        raise PairError(f"{short} has {frames} frames but {long} has more; both must have the same frames")
    if source.image.shape != truth.image.shape:
        raise PairError(
            f"{pair.blurry} is {size(source)} but {pair.sharp} is {size(truth)}; both must have the same size"
        )


def size(frame: "Frame") -> str:
    height, width = frame.image.shape[:2]
    return f"{width}x{height}"


def as_json(options: argparse.Namespace, scores: list[Score], overall: Score, paper: dict | None = None) -> str:
    keys = ("model", "weights", "untrained", "device", "precision", "strength", "shrink", "ensemble", "mode")
    settings = {key: getattr(options, key) for key in keys}
    clips = [score.report() for score in scores]
    found = {"clips": clips, "mean": overall.report(), "median_gain": round(median_gain(scores), 4)}
    report = {**settings, **found, **({"row": paper} if paper else {})}
    return json.dumps(report, indent=2, ensure_ascii=False)


def median_gain(scores: list[Score]) -> float:
    """The median of the clips' gains, in dB. In a mean, a nearly sharp clip that comes out a tenth of a level otherwise
    outweighs all blurry ones."""
    return median(score.gain for score in scores)


def table(scores: list[Score], overall: Score) -> str:
    wide = max(len(score.name) for score in [*scores, overall])
    lines = [
        f"{'':{wide}}  {'':>6}  {'PSNR, dB':^25}  {'SSIM':^15}",
        f"{'clip':{wide}}  {'frames':>6}  {'before':>8}{'after':>8}{'gain':>9}  {'before':>8}{'after':>8}",
    ]
    for score in [*scores, overall]:
        line = f"{score.name:{wide}}  {score.frames:>6}"
        line += f"  {score.before.psnr:8.2f}{score.after.psnr:8.2f}{score.gain:+9.2f}"
        line += f"  {score.before.ssim:8.4f}{score.after.ssim:8.4f}"
        lines.append(line + ("  worse than its input" if score.gain < 0 else ""))
    if len(scores) > 1:
        lines.append(f"median gain {median_gain(scores):+.2f} dB")
    return "\n".join(lines)
