"""`vdeblur evaluate`: how much nearer to their sharp versions a network brings blurry clips."""

import argparse
import json
import sys
from collections import deque
from itertools import zip_longest
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

from .options import add_network_options, make_deblurrer
from .pairs import Pair, PairError, find_pairs
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
        "after: per clip, the mean over its frames, and the mean over clips. Clips of two folders are "
        "matched by name.",
    )
    what = "a video, a folder of images, or a folder of clips"
    parser.add_argument("--blurry", required=True, type=Path, metavar="A", help=what)
    parser.add_argument("--sharp", required=True, type=Path, metavar="B", help="the same clips, sharp")
    parser.add_argument("--json", action="store_true", help="print JSON instead of a table")
    parser.add_argument("--quiet", action="store_true", help="show no progress")
    add_network_options(parser)
    return parser


def execute(options: argparse.Namespace) -> None:
    from .quality import mean

    pairs = find_pairs(options.blurry, options.sharp)
    deblurrer = make_deblurrer(options)
    scores = []
    for number, pair in enumerate(pairs, 1):
        scores.append(measure(pair, deblurrer, options.quiet, f"{pair.name} ({number} of {len(pairs)})"))
    overall = Score(
        "mean",
        sum(score.frames for score in scores),
        mean([score.before for score in scores]),
        mean([score.after for score in scores]),
    )
    print(as_json(options, scores, overall) if options.json else table(scores, overall))


def measure(pair: Pair, deblurrer: "Deblurrer", quiet: bool = True, label: str = "") -> Score:
    """Sharpens a pair's blurry clip and compares both versions of each frame with the sharp one.

    Raises PairError where the clips differ in the size or the number of their frames.
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
    with Progress(blurry.frames_estimate, quiet, label) as progress:
        for source, truth in zip_longest(blurry, sharp):
            check(pair, len(before), source, truth)
            before.append(quality(source.image, truth.image))
            truths.append(truth.image)
            compare(deblurrer.push(source.image))
        compare(deblurrer.flush())
    for problem in [*blurry.problems, *sharp.problems]:
        print(f"vdeblur: {problem}", file=sys.stderr)
    return Score(pair.name, len(before), mean(before), mean(after))


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


def as_json(options: argparse.Namespace, scores: list[Score], overall: Score) -> str:
    keys = ("model", "weights", "device", "precision", "strength", "mode")
    settings = {key: getattr(options, key) for key in keys}
    clips = [score.report() for score in scores]
    return json.dumps({**settings, "clips": clips, "mean": overall.report()}, indent=2, ensure_ascii=False)


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
    return "\n".join(lines)
