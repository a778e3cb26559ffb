"""`python -m bench.real_blur CLIP... --out DIR`: what weights do to truly blurry clips, which have no sharp
version to compare with.

For each clip the mean over its frames, before and after, of the perceptual blur metric (Crete et al., 2007, by
scikit-image; 0 is sharp, 1 is blurred), and three signs of harm, in levels of 8 bits:

    halo     how far pixels leave the range of their 5x5 neighbours before, as ringing does
    colour   how far the mean colour moved
    flicker  how much the change of a frame differs from that of the frame before it

A picture of each clip shows frames before, after, and the difference: numbers alone do not see ghosts.
"""

import argparse
import json
import sys
from collections.abc import Iterator
from dataclasses import asdict, dataclass
from itertools import islice, pairwise
from pathlib import Path

import cv2
import numpy as np
from skimage.measure import blur_effect
from tqdm import tqdm

from bench.outputs import check_folder
from vdeblur_fast import Deblurrer
from vdeblur_fast.cli.options import check_model, ensemble, strength, whole
from vdeblur_fast.defaults import DEFAULT_NETWORK
from vdeblur_fast.errors import UserError, told
from vdeblur_fast.video import open_reader

NEIGHBOURS = np.ones((5, 5), np.uint8)
SHOWN = 3  # frames in the picture
CROP = (320, 480)  # of their middle
CONTRAST = 4  # of the difference


@dataclass(frozen=True)
class Effect:
    """What happened to a clip; see the top of this file."""

    clip: str
    frames: int
    blur_before: float
    blur_after: float
    halo: float
    colour: float
    flicker: float


def effect(clip: str, before: list[np.ndarray], after: list[np.ndarray]) -> Effect:
    """before, after: the same frames, (H, W, 3) uint8."""
    changes = [b.astype(np.int16) - a for a, b in zip(before, after, strict=True)]
    restless = [np.abs(next_ - this).mean() for this, next_ in pairwise(changes)]
    return Effect(
        clip=clip,
        frames=len(before),
        blur_before=_mean(blur_effect(frame, channel_axis=-1) for frame in before),
        blur_after=_mean(blur_effect(frame, channel_axis=-1) for frame in after),
        halo=_mean(halo(a, b) for a, b in zip(before, after, strict=True)),
        colour=_mean(np.abs(change.mean((0, 1))).max() for change in changes),
        flicker=_mean(restless),
    )


def halo(before: np.ndarray, after: np.ndarray) -> float:
    """The mean distance, in levels, of the pixels of `after` from the range of their neighbours in `before`."""
    highest, lowest = cv2.dilate(before, NEIGHBOURS), cv2.erode(before, NEIGHBOURS)
    return float((cv2.subtract(after, highest).astype(float) + cv2.subtract(lowest, after)).mean())


def _mean(values) -> float:
    values = list(values)
    return round(float(np.mean(values)), 4) if values else 0.0


def picture(before: list[np.ndarray], after: list[np.ndarray]) -> np.ndarray:
    """Columns of frames spread over the clip: before, after, and four times the difference on grey."""
    chosen = sorted({round(i) for i in np.linspace(0, len(before) - 1, SHOWN + 2)[1:-1]})
    return np.concatenate([_column(_middle(before[i]), _middle(after[i])) for i in chosen], axis=1)


def _column(before: np.ndarray, after: np.ndarray) -> np.ndarray:
    difference = np.clip(128 + CONTRAST * (after.astype(np.int16) - before), 0, 255).astype(np.uint8)
    return np.concatenate([before, after, difference])


def _middle(frame: np.ndarray) -> np.ndarray:
    top, left = (max(0, (size - crop) // 2) for size, crop in zip(frame.shape, CROP, strict=False))
    return frame[top : top + CROP[0], left : left + CROP[1]]


def sharpened(path: Path, engine: Deblurrer, start: float, frames: int) -> tuple[list[np.ndarray], list[np.ndarray]]:
    """`frames` frames of a clip from `start` (s) on, before and after."""
    before: list[np.ndarray] = []

    def images() -> Iterator[np.ndarray]:
        for frame in islice(open_reader(path, start), frames):
            image = frame.image if frame.image.dtype == np.uint8 else (frame.image >> 8).astype(np.uint8)
            before.append(image)
            yield image

    after = list(tqdm(engine.stream(images()), desc=path.name, unit="frame", total=frames))
    if not before:
        raise UserError(f"{path} has no frames from {start:g} s on; choose an earlier --start")
    return before, after


def check_names(clips: list[Path]) -> None:
    """Raises UserError where two clips would have the same picture."""
    seen: dict[str, Path] = {}
    for clip in clips:
        other = seen.setdefault(clip.name, clip)
        if other is not clip:
            raise UserError(f"{other} and {clip} would both be {clip.name}.png; rename one, or measure one at a time")


@told("bench.real_blur")
def main(argv: list[str] | None = None) -> int | None:
    parser = argparse.ArgumentParser(prog="python -m bench.real_blur", description=__doc__)
    parser.formatter_class = argparse.RawDescriptionHelpFormatter
    add = parser.add_argument
    add("clips", nargs="+", type=Path, metavar="CLIP", help="videos or folders of images")
    add("--out", type=Path, required=True, metavar="DIR", help="where CLIP.png goes")
    add("--model", default=DEFAULT_NETWORK, metavar="NAME", help="(%(default)s)")
    add("--weights", type=Path, metavar="FILE", help="other weights than those that ship")
    add("--strength", type=strength, default=1.0, metavar="0..2", help="as of `vdeblur run` (%(default)s)")
    add("--shrink", type=whole("--shrink", 1), default=1, metavar="K", help="as of `vdeblur run` (%(default)s)")
    add("--ensemble", type=ensemble, default=1, metavar="N", help="as of `vdeblur run` (%(default)s)")
    add("--start", type=float, default=0.0, metavar="S", help="seconds to leave out at the beginning (%(default)s)")
    add("--frames", type=whole("--frames", 1), default=24, metavar="N", help="of each clip (%(default)s)")
    add("--json", action="store_true")
    options = parser.parse_args(argv)
    check_model(options.model)
    check_names(options.clips)
    check_folder(options.out)
    given = {name: getattr(options, name) for name in ("strength", "shrink", "ensemble")}
    engine = Deblurrer(options.model, options.weights, **given)
    found = []
    for path in options.clips:
        before, after = sharpened(path, engine, options.start, options.frames)
        found.append(effect(path.name, before, after))
        (options.out / f"{path.name}.png").write_bytes(
            cv2.imencode(".png", picture(before, after)[..., ::-1])[1].tobytes()
        )
    if options.json:
        print(json.dumps([asdict(one) for one in found], indent=2))
        return
    for one in found:
        print(
            f"{one.clip}: blur {one.blur_before:.4f} -> {one.blur_after:.4f}; halo {one.halo:.3f}, "
            f"colour {one.colour:.3f}, flicker {one.flicker:.3f} levels ({one.frames} frames)"
        )


if __name__ == "__main__":
    sys.exit(main())
