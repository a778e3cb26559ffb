"""Sharp clips decoded once: frames and their optical flow lie in a cache folder and are mapped into memory.

A clip's folder in the cache holds `frames.u8` (F, H, W, 3), `ahead.f16` and `back.f16` (F - 1, h, w, 2), the
flows from each frame to the next and back at 1 / FLOW_SCALE of the frame's scale, and `clip.json` with sizes
and scene cuts.
"""

import hashlib
import json
import os
import shutil
import tempfile
from collections.abc import Iterator
from dataclasses import dataclass
from itertools import pairwise
from pathlib import Path

import cv2
import numpy as np

from vdeblur_fast.errors import UserError

from .flow import flow, gray, is_cut

FLOW_SCALE = 4  # DIS computes flow at a quarter of the scale anyway
WIDEST = 960  # pixels; wider clips are scaled down, which also hides what compression left behind
_VERSION = 1  # of the cache's format


@dataclass(frozen=True)
class SharpClip:
    """A decoded clip.

    Attributes:
        folder: its place in the cache.
        frames: (F, H, W, 3) uint8 RGB.
        ahead, back: (F - 1, h, w, 2) float16 flows in frame pixels, at 1 / FLOW_SCALE of the frame's scale.
        cuts: numbers of the frames that begin a new scene.
    """

    folder: Path
    frames: np.ndarray
    ahead: np.ndarray
    back: np.ndarray
    cuts: list[int]

    def __reduce__(self) -> tuple:
        """Goes to worker processes by name: they map the same files."""
        return _opened, (self.folder,)

    def runs(self) -> list[tuple[int, int]]:
        """The stretches without a cut, as (first, last + 1)."""
        return list(pairwise([0, *self.cuts, len(self.frames)]))


def default_cache() -> Path:
    """$VDEBLUR_CACHE, else ~/.cache/vdeblur_fast."""
    return Path(os.environ.get("VDEBLUR_CACHE") or Path.home() / ".cache" / "vdeblur_fast")


def archived(path: Path, cache: Path | None = None) -> SharpClip:
    """The clip at `path`, decoded into the cache folder if it is not there yet.

    Raises:
        UserError: not a video, without frames, or the cache folder cannot be written.
    """
    stat = path.stat()
    name = f"{path.resolve()}|{stat.st_size}|{stat.st_mtime_ns}|{_VERSION}"
    folder = (cache or default_cache()) / f"{path.stem}-{hashlib.sha256(name.encode()).hexdigest()[:12]}"
    if not folder.exists():
        try:
            folder.parent.mkdir(parents=True, exist_ok=True)
            _build(path, folder)
        except OSError as error:
            raise UserError(
                f"{folder.parent} cannot hold the decoded clips ({error.strerror or error});"
                f" set VDEBLUR_CACHE to a folder with room"
            ) from error
    return _opened(folder)


def _opened(folder: Path) -> SharpClip:
    about = json.loads((folder / "clip.json").read_text())
    count, height, width = about["frames"]
    small = (count - 1, *_small(height, width), 2)
    return SharpClip(
        folder,
        np.memmap(folder / "frames.u8", np.uint8, "r", shape=(count, height, width, 3)),
        _flows(folder / "ahead.f16", small),
        _flows(folder / "back.f16", small),
        about["cuts"],
    )


def decode(path: Path) -> Iterator[np.ndarray]:
    """The frames of a clip, (H, W, 3) RGB uint8, no wider than WIDEST."""
    import av

    try:
        with av.open(str(path)) as container:
            for frame in container.decode(video=0):
                scale = min(1, WIDEST / frame.width)
                image = frame.to_ndarray(format="rgb24")
                if scale < 1:
                    size = (WIDEST, max(1, round(frame.height * scale)))
                    image = cv2.resize(image, size, interpolation=cv2.INTER_AREA)
                yield image
    except (av.FFmpegError, IndexError) as error:
        raise UserError(f"{path} cannot be read as a video; repair it or take it out of the folder") from error


def _build(path: Path, folder: Path) -> None:
    """Decodes into a folder beside, which takes its name only when it is whole."""
    beside = Path(tempfile.mkdtemp(prefix=".", dir=folder.parent))
    try:
        shape, count, cuts, before = None, 0, [], None
        with (
            (beside / "frames.u8").open("wb") as frames,
            (beside / "ahead.f16").open("wb") as ahead,
            (beside / "back.f16").open("wb") as back,
        ):
            for image in decode(path):
                shape = shape or image.shape
                if image.shape != shape:
                    break  # a stream that changes its size: keep what came before
                now = gray(image)
                if before is not None:
                    ahead.write(_quarter(flow(before, now)))
                    back.write(_quarter(flow(now, before)))
                    cuts += [count] if is_cut(before, now) else []
                frames.write(image.tobytes())
                before, count = now, count + 1
        if not count:
            raise UserError(f"{path} has no frames; take it out of the folder")
        (beside / "clip.json").write_text(json.dumps({"frames": [count, *shape[:2]], "cuts": cuts}))
        try:
            beside.rename(folder)
        except OSError:
            if not folder.exists():  # else another process was faster
                raise
    finally:
        shutil.rmtree(beside, ignore_errors=True)


def _small(height: int, width: int) -> tuple[int, int]:
    return -(-height // FLOW_SCALE), -(-width // FLOW_SCALE)


def _quarter(flow: np.ndarray) -> bytes:
    size = _small(*flow.shape[:2])[::-1]
    return cv2.resize(flow, size, interpolation=cv2.INTER_AREA).astype(np.float16).tobytes()


def _flows(path: Path, shape: tuple[int, ...]) -> np.ndarray:
    return np.memmap(path, np.float16, "r", shape=shape) if shape[0] > 0 else np.empty(shape, np.float16)
