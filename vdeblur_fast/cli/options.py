"""Options that several subcommands share, and what they mean."""

import argparse
import difflib
import math
import re
import sys
import warnings
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING

from ..defaults import DEFAULT_NETWORK, ENSEMBLES, MOST_STRENGTH
from ..errors import UnknownNetwork, UserError

if TYPE_CHECKING:
    from ..engine import Deblurrer
    from ..reference.networks import VideoNetwork

PRECISIONS = ("auto", "fp32", "bf16", "fp16")
MODES = ("stream", "windows")
MOST, MOST_THREADS, DIGITS = 2**31 - 1, 1024, 30


class OptionError(UserError):
    """An option with a value that it cannot have."""


def add_network_options(parser: argparse.ArgumentParser) -> None:
    """Which network, and how it runs."""
    add = parser.add_argument_group("the network").add_argument
    add("--model", default=DEFAULT_NETWORK, metavar="NAME", help="see `vdeblur models` (%(default)s)")
    add("--weights", metavar="FILE", help="a .safetensors file, instead of the weights that ship")
    add("--untrained", action="store_true", help="random weights, to see how fast a network is and what it needs")
    add("--device", default="auto", help="auto, cpu, cuda or cuda:1; auto is the GPU where there is one")
    add("--precision", default="auto", choices=PRECISIONS, help="auto is the fastest the device has that does no harm")
    add(
        "--strength",
        type=strength,
        default=1.0,
        metavar="0..2",
        help="0 the source, 1 sharp, more: sharper still (1); what is brighter than white in a limited-range video, or "
        "darker than black, is cut with 0 too",
    )
    add("--shrink", type=whole("--shrink", 1), default=1, metavar="K", help="for long blur: work K times smaller (1)")
    add(
        "--ensemble", type=ensemble, default=1, metavar="N", help="mean over 2 or 4 mirror images: N times the work (1)"
    )
    add("--mode", default="stream", choices=MODES, help="a stream, or windows of 20 as papers evaluate")
    add("--frames", type=whole("--frames", 0), metavar="U", help="use at most so many neighbours (gsta-net: 5)")
    add("--lookahead", type=whole("--lookahead", 0), metavar="K", help="neighbours at most K frames ahead; 0 is causal")
    add("--tile", type=whole("--tile", 1), metavar="PIXELS", help="compute in tiles: the same, with less memory")
    add("--no-scene-cuts", dest="scene_cuts", action="store_false", help="carry on where the scene changes")
    add("--no-accelerate", dest="accelerate", action="store_false", help="plain PyTorch instead of fused kernels")
    add("--threads", type=whole("--threads", 1, MOST_THREADS), metavar="N", help="CPU threads of the network")


def add_coding_options(parser: argparse.ArgumentParser) -> None:
    """How a video is written."""
    add = parser.add_argument_group("the output").add_argument
    add("--codec", metavar="NAME", help="h264, hevc, av1, vp9, ffv1, prores (h264 where it can be)")
    add("--crf", type=number("--crf", 0, 63), metavar="N", help="quality: lower is better, larger (h264: 16)")
    add("--preset", metavar="NAME", help="speed of the encoder, by its own names, such as veryfast")
    add("--overwrite", action="store_true", help="replace an output that exists; a folder only where all of it is ours")
    add("--quiet", action="store_true", help="print errors only")


def writer_options(options: argparse.Namespace) -> dict:
    """What `add_coding_options` asked for, as arguments of `open_writer`."""
    return {key: getattr(options, key) for key in ("codec", "crf", "preset", "overwrite")}


def make_deblurrer(
    options: argparse.Namespace, on_choice: Callable[[int, list[int]], None] | None = None
) -> "Deblurrer":
    """The network that was asked for, ready to run; unless quiet, warnings go to stderr in one sentence each.

    on_choice: is told which frames each frame was made of.
    Raises UserError for an unknown model, weights that do not fit, a device that is not there.
    """
    import torch

    from ..engine import Deblurrer

    check_model(options.model)
    if options.threads:
        torch.set_num_threads(options.threads)
    with warnings_in_a_sentence(options.quiet):
        return Deblurrer(
            untrained(options) if options.untrained else options.model,
            options.weights,
            device=options.device,
            precision=options.precision,
            strength=options.strength,
            shrink=options.shrink,
            ensemble=options.ensemble,
            scene_cuts=options.scene_cuts,
            mode=options.mode,
            accelerate=options.accelerate,
            frames=options.frames,
            lookahead=options.lookahead,
            tile=options.tile,
            on_choice=on_choice,
        )


def untrained(options: argparse.Namespace) -> "VideoNetwork":
    """The network that was asked for, with random weights, the same every time."""
    import torch

    from ..engine import build_video_network

    if options.weights:
        raise OptionError(f"--untrained means random weights, and --weights {options.weights} others; leave out one")
    torch.manual_seed(0)
    return build_video_network(options.model)


@contextmanager
def warnings_in_a_sentence(quiet: bool) -> Iterator[None]:
    """What the code inside warns of goes to stderr, in one sentence each; nowhere where quiet was asked for."""
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always", UserWarning)
        yield
    for warning in caught if not quiet else ():
        print(f"vdeblur: {warning.message}", file=sys.stderr)


def check_model(name: str) -> None:
    """Raises UnknownNetwork, with the names that come close, for a network that does not exist."""
    from ..reference.networks import networks

    if name in networks():
        return
    family = [known for known in networks() if known.startswith(name.lower())] if name else []
    close = difflib.get_close_matches(name.lower(), family or networks(), n=3, cutoff=0.1 if family else 0.5)
    hint = f"did you mean {' or '.join(close)}? " if close else ""
    raise UnknownNetwork(f"unknown model {name!r}; {hint}`vdeblur models` lists them all")


def strength(text: str) -> float:
    value = _float(text)
    if not 0 <= value <= MOST_STRENGTH:
        raise OptionError(
            f"--strength must be between 0 (the source) and {MOST_STRENGTH:g} (twice the effect), got {text}"
        )
    return value


def ensemble(text: str) -> int:
    if text not in map(str, ENSEMBLES):
        raise OptionError(f"--ensemble must be one of {', '.join(map(str, ENSEMBLES))}, got {text}")
    return int(text)


def number(option: str, least: float, most: float) -> Callable[[str], float]:
    """Reads what was typed for an option; another number raises OptionError."""

    def read(text: str) -> float:
        value = _float(text)
        if not least <= value <= most:
            raise OptionError(f"{option} must be a number from {least:g} to {most:g}, got {text}")
        return value

    return read


def whole(option: str, least: int, most: int = MOST) -> Callable[[str], int]:
    """Reads what was typed for an option; anything but a whole number from `least` to `most` raises OptionError."""

    def read(text: str) -> int:
        digits = text.isascii() and text.isdecimal()
        if digits and (len(text) > DIGITS or int(text) > most):
            raise OptionError(f"{option} must be a whole number from {least} to {most}, got {text[:DIGITS]}…")
        if not digits or int(text) < least:
            raise OptionError(f"{option} must be a whole number from {least}, got {text}")
        return int(text)

    return read


def moment(text: str) -> float:
    """Seconds, MM:SS or HH:MM:SS, each with decimals -> seconds."""
    found = re.fullmatch(r"(?:(?:(\d+):)?(\d+):)?(\d+(?:\.\d*)?|\.\d+)", text.strip())
    if found is None:
        raise OptionError(f"cannot read the time {text!r}; write seconds (12.5) or HH:MM:SS (00:01:12.5)")
    if len(text) > DIGITS:
        raise OptionError(f"the time {text[:DIGITS]}… is too long; write seconds (12.5) or HH:MM:SS (00:01:12.5)")
    hours, minutes, seconds = found.groups()
    return 3600 * int(hours or 0) + 60 * int(minutes or 0) + float(seconds)


def _float(text: str) -> float:
    try:
        return float(text)
    except ValueError:
        return math.nan
