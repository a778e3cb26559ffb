"""The fixed validation set: pairs of blurry and sharp sequences as folders of lossless pictures."""

import shutil
import tempfile
from collections.abc import Iterator
from itertools import chain, pairwise
from pathlib import Path

import cv2
import numpy as np
from tqdm import tqdm

from vdeblur_fast.errors import UserError

from .archive import SharpClip, archived
from .clips import average
from .degrade import stored
from .flow import flow, gray
from .kinds import SHOTS, Pairs, filmed
from .layers import light_of
from .response import Response
from .sources import Sources, find_sources, read_still
from .stills import shaken_clip

WINDOWS = (7, 9, 11, 13)
_BLURS = (3, 5, 7, 9, 12, 4, 6, 8, 10, 14, 2, 11)  # mean pixels of camera smear, dealt out in turn

_OF_EACH = 2  # sequences of every kind


def write_validation(
    data: str | Path,
    out: str | Path,
    split: str | None = "val",
    frames: int = 12,
    size: tuple[int, int] = (320, 480),
    seed: int = 0,
    cache: Path | None = None,
    all_kinds: bool = False,
) -> int:
    """Writes OUT/blurry/NAME/0000.png, OUT/sharp/NAME/0000.png and so on, always the same.

    Each still gives one sequence of camera shake (upright ones upright), every other one with an object in
    front; each clip gives one for every window of WINDOWS frames. There is no noise and no compression: the
    blur is what counts. With `all_kinds` there are two sequences of each kind of `kinds.SHOTS` instead, called
    KIND_STILL, and those of the clips, called average_CLIP_WINDOW.

    Returns:
        The number of sequences.

    Raises:
        UserError: OUT exists already, or the data cannot be read.
    """
    sources, out = find_sources(data, split), Path(out)
    if out.exists():
        raise UserError(f"{out} exists already; remove it or name another folder")
    out.parent.mkdir(parents=True, exist_ok=True)
    beside = Path(tempfile.mkdtemp(prefix=".", dir=out.parent))
    try:
        count = 0
        shaken = _of_every_kind(sources, frames, size, seed) if all_kinds else _shaken(sources, frames, size, seed)
        averaged = _averaged(sources, frames, cache, "average_" if all_kinds else "")
        for name, pair in tqdm(chain(shaken, averaged), unit="sequence"):
            for kind, clip in zip(("blurry", "sharp"), pair, strict=True):
                _write(beside / kind / name, clip)
            count += 1
        beside.chmod(0o755)
        beside.rename(out)
    finally:
        shutil.rmtree(beside, ignore_errors=True)
    return count


def _shaken(sources: Sources, frames: int, size: tuple[int, int], seed: int) -> Iterator[tuple[str, Pairs]]:
    stills = [read_still(path) for path in sources.stills]
    response = Response()
    for number, path in enumerate(sources.stills):
        rng = np.random.default_rng([seed, number])
        chosen = [stills[number], stills[number - 1]] if number % 2 else [stills[number]]
        blur, shape = _BLURS[number % len(_BLURS)], _turned(stills[number], size)
        shot = shaken_clip(chosen, rng, response, frames, shape, blur, centre_spread=0)
        yield path.stem, (stored(shot.blurry, response), stored(shot.sharp, response))


def _of_every_kind(sources: Sources, frames: int, size: tuple[int, int], seed: int) -> Iterator[tuple[str, Pairs]]:
    paths = sources.stills
    for number, (kind, shot) in enumerate(SHOTS.items()):
        for which in {(_OF_EACH * number + turn) % len(paths): None for turn in range(_OF_EACH)} if paths else ():
            rng = np.random.default_rng([seed, number, which])
            chosen = [read_still(paths[(which + step) % len(paths)]) for step in range(1 + shot.layers)]
            yield f"{kind}_{paths[which].stem}", filmed(shot, chosen, rng, frames, _turned(chosen[0], size))


def _turned(still: np.ndarray, size: tuple[int, int]) -> tuple[int, int]:
    """The size, upright for an upright still."""
    return size[::-1] if still.shape[0] > still.shape[1] else size


def _averaged(sources: Sources, frames: int, cache: Path | None, prefix: str) -> Iterator[tuple[str, Pairs]]:
    response = Response()
    for path in sources.clips:
        clip = archived(path, cache)
        for window in WINDOWS:
            if pair := _windows(clip, window, frames, response):
                yield f"{prefix}{path.stem}_{window}", pair


def _windows(clip: SharpClip, window: int, frames: int, response: Response) -> Pairs | None:
    """As many whole windows, at most `frames`, as the longest scene of the clip has, from its start."""
    first, last = max(clip.runs(), key=lambda run: run[1] - run[0])
    blurry, sharp = [], []
    for start in range(first, last - window + 1, window)[:frames]:
        part = clip.frames[start : start + window]
        grays = [gray(frame) for frame in part]
        aheads = [flow(a, b) for a, b in pairwise(grays)]
        backs = [flow(b, a) for a, b in pairwise(grays)]
        light = average((light_of(frame, response) for frame in part), aheads, backs)
        blurry.append(stored(light[..., :3], response))
        sharp.append(part[window // 2])
    return (np.stack(blurry), np.stack(sharp)) if blurry else None


def _write(folder: Path, clip: np.ndarray) -> None:
    folder.mkdir(parents=True)
    for number, frame in enumerate(clip):
        coded = cv2.imencode(".png", frame[..., ::-1])[1]
        (folder / f"{number:04d}.png").write_bytes(coded.tobytes())
