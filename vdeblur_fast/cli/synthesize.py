"""`vdeblur synthesize`: a sharp video goes in, a blurry one comes out, made as training makes its blur."""

import argparse
import contextlib
import os
from collections import deque
from collections.abc import Iterable, Iterator
from dataclasses import replace
from typing import TYPE_CHECKING

from ..errors import UserError
from .options import OptionError, add_coding_options, number, whole, writer_options
from .progress import Progress
from .report import summary, tell

if TYPE_CHECKING:
    import numpy as np

    from ..video import Frame


class TooShort(UserError):
    """A video without enough consecutive frames to average."""


def add_parser(subparsers) -> argparse.ArgumentParser:
    parser = subparsers.add_parser(
        "synthesize",
        help="make a sharp video blurry",
        description="Makes blur from a sharp video the way training does. `average` adds up the light of "
        "consecutive frames: one blurry frame for every --period sharp ones. `shake` keeps every frame and "
        "shakes the camera.",
    )
    add = parser.add_argument
    add("sharp", metavar="SHARP", help="a video file, or a folder of images")
    add("blurry", metavar="BLURRY", help="the video to write, or a folder of images ending in /")
    add("--sharp-out", metavar="FILE", help="write the sharp frame of each blurry one too")
    add("--mode", default="average", choices=("average", "shake"), help="(%(default)s)")
    add(
        "--frames",
        type=whole("--frames", 1),
        default=11,
        metavar="N",
        help="frames averaged, such as 7 to 13 (11)",
    )
    add("--period", type=whole("--period", 1), metavar="N", help="sharp frames for each blurry one (--frames)")
    add(
        "--blur",
        type=number("--blur", 0, 1000),
        default=8,
        metavar="PIXELS",
        help="mean smear of a shake (8)",
    )
    add("--duty", type=number("--duty", 0.01, 1), default=0.5, help="exposed share of a shaken frame (0.5)")
    add(
        "--noise",
        type=number("--noise", 0, 255),
        default=0,
        metavar="LEVELS",
        help="sensor noise, of 255 levels (0)",
    )
    add("--seed", type=whole("--seed", 0), default=0, help="of the shake and the noise (0)")
    add_coding_options(parser)
    return parser


def execute(options: argparse.Namespace) -> None:
    from ..video import open_reader, open_writer

    reader = open_reader(options.sharp)
    pairs = synthesized(reader, options)
    _check_outputs(options)
    outputs = [options.blurry] + [options.sharp_out] * (options.sharp_out is not None)
    expected = (reader.frames_estimate or 0) // period_of(options)
    with contextlib.ExitStack() as stack, Progress(expected or None, options.quiet) as progress:
        writers = [stack.enter_context(open_writer(path, source=reader, **writer_options(options))) for path in outputs]
        for pair in pairs:
            for writer, frame in zip(writers, pair, strict=False):
                writer.write(frame)
            progress.advance()
        if not progress.done:
            raise TooShort(f"{options.sharp} has no scene of {options.frames} frames to average; use fewer --frames")
    tell(reader, writers, options.quiet)
    if not options.quiet:
        print(summary(progress.done, progress.seconds, " and ".join(outputs)))


def synthesized(frames: Iterable["Frame"], options: argparse.Namespace) -> Iterator[tuple["Frame", "Frame"]]:
    """The blurry frames, each with its sharp one, at the time at which the exposure began.

    Raises OptionError for options that do not fit together.
    """
    from ..training.synthesis import synthesize_video

    exposed: deque[Frame] = deque(maxlen=options.frames if options.mode == "average" else 1)

    def images() -> Iterator["np.ndarray"]:
        for frame in frames:
            exposed.append(frame)
            yield frame.image

    try:
        made = synthesize_video(
            images(),
            mode=options.mode,
            window=options.frames,
            period=options.period,
            blur=options.blur,
            duty=options.duty,
            noise=options.noise,
            seed=options.seed,
        )
    except ValueError as error:
        raise OptionError(str(error).removeprefix("synthesize_video: ")) from error

    def pairs() -> Iterator[tuple["Frame", "Frame"]]:
        for blurry, sharp, _ in made:
            began = replace(exposed[0], duration=exposed[0].duration * period_of(options))
            yield began.with_image(blurry), began.with_image(sharp)

    return pairs()


def period_of(options: argparse.Namespace) -> int:
    """Sharp frames for each blurry one."""
    return (options.period or options.frames) if options.mode == "average" else 1


def _check_outputs(options: argparse.Namespace) -> None:
    if options.sharp_out and os.path.realpath(options.sharp_out) == os.path.realpath(options.blurry):
        raise OptionError(f"BLURRY and --sharp-out are both {options.blurry}; give them two names")
