"""`vdeblur demo`: what the package does, seen in half a minute, by its own commands."""

import argparse
import os
import shlex
import shutil
import tempfile
from pathlib import Path

from ..errors import UserError
from .progress import Progress

FRAMES = 48
BLUR = 10  # pixels
ORIGINAL, BLURRY = "original.mp4", "blurry.mp4"
SHARP, VIDEO, PICTURE = "sharp.mp4", "before-after.mp4", "before-after.png"
MARK = ".vdeblur-demo"  # in a folder that this command has made: what is called so in it may be replaced


def add_parser(subparsers) -> argparse.ArgumentParser:
    parser = subparsers.add_parser(
        "demo",
        help="make a blurry clip of a photograph, sharpen it and compare",
        description="Shakes a camera before a photograph that scikit-image ships, sharpens the blurry clip, measures "
        "what was gained, and writes a before/after video and picture. With --input, sharpens that clip instead.",
    )
    add = parser.add_argument
    add("--input", metavar="CLIP", help="a blurry video of yours, instead of the photograph")
    add("--output", default="demo", metavar="FOLDER", help="where everything is written (%(default)s)")
    add("--overwrite", action="store_true", help="replace files that this command has not written")
    return parser


def execute(options: argparse.Namespace) -> None:
    folder = Path(options.output)
    _take(folder, [SHARP, VIDEO, PICTURE] if options.input else [ORIGINAL, BLURRY, SHARP, VIDEO, PICTURE], options)
    blurry, sharp = options.input or str(folder / BLURRY), str(folder / SHARP)
    if not options.input:
        _make_blurry(folder, blurry)
    _vdeblur("run", blurry, sharp, "--overwrite")
    if not options.input:
        _vdeblur("evaluate", "--blurry", blurry, "--sharp", str(folder / ORIGINAL), "--quiet")
    _compare(blurry, sharp, folder)


def _take(folder: Path, names: list[str], options: argparse.Namespace) -> None:
    """Makes the folder, if it is not there. Raises UserError where files of these names are somebody else's."""
    mark = folder / MARK
    try:
        folder.mkdir(parents=True, exist_ok=True)
        if not any(folder.iterdir()):
            mark.touch()
        taken = [name for name in names if os.path.lexists(folder / name)]
    except OSError as error:
        raise UserError(
            f"the folder {folder} cannot be made or written to ({error.strerror}); name another with --output"
        ) from error
    if taken and not mark.exists() and not options.overwrite:
        raise UserError(
            f"{folder / taken[0]} was there before; name another folder with --output, or add --overwrite to replace it"
        )


def _vdeblur(*arguments: str) -> None:
    """Runs one of our commands as if it had been typed, and shows it."""
    from .main import make_parser

    print(f"$ {shlex.join(('vdeblur', *arguments))}", flush=True)
    options = make_parser().parse_args(arguments)
    options.execute(options)


def _make_blurry(folder: Path, blurry: str) -> None:
    import cv2
    from skimage import data

    with tempfile.TemporaryDirectory() as temporary:
        photograph = Path(temporary) / "0000.png"
        cv2.imwrite(str(photograph), data.astronaut()[..., ::-1])
        for i in range(1, FRAMES):
            shutil.copy(photograph, photograph.with_name(f"{i:04d}.png"))
        original = str(folder / ORIGINAL)
        shake = ("--mode", "shake", "--blur", str(BLUR), "--crf", "14", "--overwrite")
        _vdeblur("synthesize", temporary, blurry, "--sharp-out", original, *shake)


class _Replay:
    """Stands where a network would: gives the frames of a video that is there already."""

    def __init__(self, frames):
        self._frames = iter(frames)

    def push(self, image):
        frame = next(self._frames, None)
        return [image if frame is None else frame.image]

    def flush(self):
        return []


def _compare(blurry: str, sharp: str, folder: Path) -> None:
    """Writes before-after.mp4, split down the middle, and before-after.png, the middle frame side by side."""
    from ..video import open_reader, open_writer, process, side_by_side, split
    from ..video.atomic import AtomicOutput
    from ..video.image_file import encode_image

    before, after = open_reader(blurry, upright=True), open_reader(sharp, upright=True)
    middle = (before.frames_estimate or 2) // 2
    both, shown = None, 0

    def compare(one, other):
        nonlocal both, shown
        if shown in (0, middle):  # the first stands in where the video is shorter than it says
            both = side_by_side(one, other)
        shown += 1
        return split(one, other)

    path, files = folder / VIDEO, getattr(before, "files", ())
    picture = AtomicOutput(folder / PICTURE, before.path, overwrite=True, inputs=files)
    try:
        with Progress(before.frames_estimate, label="before/after") as progress:
            writer = open_writer(path, source=before, overwrite=True)
            process(before, writer, _Replay(after), lambda _: progress.advance(), compare)
        picture.temporary.write_bytes(encode_image(both, ".png"))  # 8 or 16 bits, as the clip is
        picture.commit()
    finally:
        picture.discard()
    print(f"See {path} and {picture.path}.")
