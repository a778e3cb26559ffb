"""`vdeblur inspect`: a look into a network, as pictures and a page of them."""

import argparse
import re
import sys
from collections.abc import Iterable, Iterator
from contextlib import closing
from pathlib import Path
from typing import TYPE_CHECKING

from ..defaults import DEFAULT_NETWORK
from ..errors import UnknownNetwork
from .options import PRECISIONS, OptionError, check_model, moment, warnings_in_a_sentence, whole
from .progress import Progress

if TYPE_CHECKING:
    from ..inspection import Inspector
    from ..inspection.album import Album
    from ..video import Frame, ImageReader, VideoReader


def add_parser(subparsers) -> argparse.ArgumentParser:
    parser = subparsers.add_parser(
        "inspect",
        help="see what a network sees",
        description="Writes pictures of what a network sees in some frames of a video, and a page of them, index.html: "
        "before and after, which neighbours helped, and the maps inside: blur masks and attention (gsta-net), internal "
        "and external attention (david), blending weights (strcnn-dtb), motion magnitude (mmp-rnn). The folder "
        "appears when it is whole.",
    )
    add = parser.add_argument
    add("input", metavar="IN", help="a video file, a folder of images, or a pattern such as frames/%%05d.png")
    add("output", metavar="OUT_FOLDER", help="the folder to write")
    add("--start", type=moment, metavar="TIME", help="begin here: seconds (12.5) or HH:MM:SS (00:01:12.5)")
    add("--end", type=moment, metavar="TIME", help="end before this time of the input")
    add("--show", type=whole("--show", 1), default=5, metavar="N", help="show so many frames (%(default)s)")
    add("--every", type=whole("--every", 1), default=1, metavar="K", help="show every K-th frame (%(default)s)")
    add("--at", type=pixel, metavar="X,Y", help="show what this pixel listens to (gsta-net: the most blurred region)")
    add("--overwrite", action="store_true", help="replace a folder that holds only what this command has written")
    add("--quiet", action="store_true", help="print errors only")
    add = parser.add_argument_group("the network").add_argument
    add("--model", default=DEFAULT_NETWORK, metavar="NAME", help="see `vdeblur models` (%(default)s)")
    add("--weights", metavar="FILE", help="a .safetensors file, instead of the weights that ship")
    add("--device", default="auto", help="auto, cpu, cuda or cuda:1; auto is the GPU where there is one")
    add("--precision", default="auto", choices=PRECISIONS, help="auto is the fastest the device has that does no harm")
    add("--frames", type=whole("--frames", 0), metavar="U", help="use at most so many neighbours (gsta-net: 5)")
    add("--lookahead", type=whole("--lookahead", 0), metavar="K", help="neighbours at most K frames ahead; 0 is causal")
    add("--no-scene-cuts", dest="scene_cuts", action="store_false", help="carry on where the scene changes")
    add("--threads", type=whole("--threads", 1), metavar="N", help="CPU threads of the network")
    return parser


def pixel(text: str) -> tuple[int, int]:
    found = re.fullmatch(r"(\d+),(\d+)", text, re.ASCII)
    if found is None:
        raise OptionError(f"--at must be the column and the row of a pixel, such as 320,180; got {text}")
    return int(found[1]), int(found[2])


def execute(options: argparse.Namespace) -> None:
    from ..inspection.album import PAGE, Album, foreign
    from ..video import open_reader
    from ..video.atomic import AtomicOutput

    check_model(options.model)
    reader = open_reader(options.input, options.start, options.end, upright=True)
    check_pixel(options.at, reader.width, reader.height)
    inspector = make_inspector(options, (reader.height, reader.width))
    files = getattr(reader, "files", ())
    output = AtomicOutput(Path(options.output), reader.path, options.overwrite, True, inputs=files, foreign=foreign)
    try:
        album = Album(output.temporary)
        shown = fill(album, inspector, reader, options.quiet)
        nothing = nothing_to_see(options.model) if inspector.sees_nothing else None
        album.finish(f"What {options.model} sees in {reader.path.name}", [nothing] if nothing else [])
        output.commit()
    finally:
        output.discard()
    for sentence in reader.problems:
        print(f"vdeblur: {sentence}", file=sys.stderr)
    if not options.quiet:
        if nothing:
            print(f"vdeblur: {nothing}", file=sys.stderr)
        print(f"{shown} frame{'s' * (shown != 1)}, {album.pictures} pictures -> {output.path / PAGE}")


def check_pixel(at: tuple[int, int] | None, width: int, height: int) -> None:
    if at and not (at[0] < width and at[1] < height):
        raise OptionError(f"--at {at[0]},{at[1]} is outside of the frames of {width}x{height}; name a pixel inside")


def make_inspector(options: argparse.Namespace, size: tuple[int, int]) -> "Inspector":
    """The network that was asked for, as it stands in the papers, ready to be looked into; size: (height, width)."""
    import torch

    from .. import weights
    from ..inspection import Inspector
    from ..reference.networks import VideoNetwork, build

    network = build(options.model)
    if not isinstance(network, VideoNetwork):
        raise UnknownNetwork(
            f"{options.model!r} does not turn frames into frames; inspect a network that it is a part of, such as "
            f"{DEFAULT_NETWORK}"
        )
    weights.load(network, options.model, options.weights)
    if options.threads:
        torch.set_num_threads(options.threads)
    with warnings_in_a_sentence(options.quiet):
        return Inspector(
            network,
            size,
            options.show,
            options.every,
            options.at,
            device=options.device,
            precision=options.precision,
            scene_cuts=options.scene_cuts,
            frames=options.frames,
            lookahead=options.lookahead,
        )


def fill(album: "Album", inspector: "Inspector", reader: "VideoReader | ImageReader", quiet: bool) -> int:
    """Looks at the frames, and returns how many it has put into the album."""
    shown = 0
    needed = min(inspector.needed, reader.frames_estimate or inspector.needed)
    with Progress(needed, quiet) as progress, closing(counted(reader, progress)) as frames:
        for sight in inspector.look(frames):
            album.add(sight, sight.frame.name or f"Frame {sight.number}, at {float(sight.frame.time):.3f} s")
            shown += 1
    return shown


def counted(frames: Iterable["Frame"], progress: Progress) -> Iterator["Frame"]:
    for frame in frames:
        yield frame
        progress.advance()


def nothing_to_see(model: str) -> str:
    return (
        f"{model} has no blur mask, attention map, blending weight or motion magnitude to show, so there is only "
        "before and after"
    )
