"""`python -m vdeblur_fast.training.pack DATA OUT`: a small copy of a folder of sharp stills and clips.

It is read by --data as the folder itself is, with the same train and val parts, and small enough to be carried to a
machine that has a GPU but not the data.
"""

import argparse
import csv
import shutil
import sys
import tempfile
from collections.abc import Callable
from fractions import Fraction
from pathlib import Path

import cv2
import numpy as np
from tqdm import tqdm

from vdeblur_fast.errors import UserError, told

from .layouts import find_layout
from .synthesis.archive import decode
from .synthesis.sources import SPLITS, Sources, find_sources, read_still

MIB = 2**20
_CLIPS_SHARE = 0.5  # of the room, where there are both
_QUALITY, _RATE = 92, 16  # WebP quality and x264 rate factor at which nobody sees a difference
_LONGEST = 240  # frames that are kept of a clip
_NARROWEST = 480  # pixels; narrower clips are rather made shorter
_TRIES = 8


def pack(data: Path, out: Path, size: float) -> int:
    """Writes OUT/stills, OUT/clips and OUT/MANIFEST.csv, at most `size` MiB together; how many bytes it took.

    Every still and every clip is kept, half of the room for each. What fits into its share is copied as it is; what
    does not is scaled down and, a clip, cut short.

    Raises:
        UserError: nothing to pack, a data set of blurry and sharp pairs, OUT exists already, or too little room.
    """
    if layout := find_layout(data):
        raise UserError(f"{data} is {layout.name}; only folders of sharp stills and clips can be packed")
    if out.exists():
        raise UserError(f"{out} exists already; remove it or name another folder")
    parts = {split: _found(data, split) for split in SPLITS}
    kinds = {"stills": shrunk_still, "clips": shrunk_clip}
    sizes = {kind: [path.stat().st_size for part in parts.values() for path in getattr(part, kind)] for kind in kinds}
    if not any(sizes.values()):
        find_sources(data, None)  # says what is wrong
    for_clips = _CLIPS_SHARE if all(sizes.values()) else float(bool(sizes["clips"]))
    shares = {
        "stills": share_of(sizes["stills"], size * MIB * (1 - for_clips)),
        "clips": share_of(sizes["clips"], size * MIB * for_clips),
    }
    out.parent.mkdir(parents=True, exist_ok=True)
    beside = Path(tempfile.mkdtemp(prefix=".", dir=out.parent))
    try:
        rows = []
        with tqdm(total=sum(map(len, sizes.values())), unit="file") as bar:
            for split, part in parts.items():
                for kind, shrink in kinds.items():
                    for path in getattr(part, kind):
                        rows.append((_packed(path, beside / kind, len(rows), shares[kind], shrink), split))
                        bar.update()
        with (beside / "MANIFEST.csv").open("w", newline="", encoding="utf-8") as file:
            lines = [(path.relative_to(beside).as_posix(), split) for path, split in rows]
            csv.writer(file).writerows([("path", "suggested_split"), *lines])
        taken = sum(path.stat().st_size for path, _ in rows)
        beside.chmod(0o755)
        beside.rename(out)
    finally:
        shutil.rmtree(beside, ignore_errors=True)
    return taken


def share_of(sizes: list[int], room: float) -> float:
    """The bytes that each file may take: even shares, where what small files leave is the others'."""
    left = sorted(sizes)
    while left and left[0] <= room / len(left):
        room -= left.pop(0)
    return room / len(left) if left else float("inf")


def _found(data: Path, split: str) -> Sources:
    """The part's stills and clips; none where the folder has no such part."""
    try:
        return find_sources(data, split)
    except UserError:
        if split == "train" and not data.is_dir():
            raise
        return Sources([], [])


def _packed(path: Path, folder: Path, number: int, share: float, shrink: Callable[[Path, float], bytes]) -> Path:
    """Puts a file, made smaller if it must be, into the folder, under a name that no other file has."""
    folder.mkdir(exist_ok=True)
    if path.stat().st_size <= share:
        copy = folder / f"{number:04d}-{path.name}"
        shutil.copyfile(path, copy)
        return copy
    copy = folder / f"{number:04d}-{path.stem}{'.webp' if shrink is shrunk_still else '.mp4'}"
    copy.write_bytes(shrink(path, share))
    return copy


def shrunk_still(path: Path, share: float) -> bytes:
    """A still as a WebP of at most `share` bytes."""
    picture, scale = read_still(path), 1.0
    for _ in range(_TRIES):
        small = cv2.resize(picture, None, fx=scale, fy=scale, interpolation=cv2.INTER_AREA) if scale < 1 else picture
        coded = cv2.imencode(".webp", small[..., ::-1], [cv2.IMWRITE_WEBP_QUALITY, _QUALITY])[1].tobytes()
        if len(coded) <= share:
            return coded
        scale *= 0.95 * (share / len(coded)) ** 0.5
        if min(picture.shape[:2]) * scale < 16:
            break
    raise UserError(f"{path} does not fit into {share / 1024:.0f} KiB; give more --size")


def shrunk_clip(path: Path, share: float) -> bytes:
    """The beginning of a clip as H.264 of at most `share` bytes."""
    frames = [frame for frame, _ in zip(decode(path), range(_LONGEST), strict=False)]
    width = frames[0].shape[1]
    for _ in range(_TRIES):
        coded = _coded(frames, width)
        if len(coded) <= share:
            return coded
        too_much = 1.06 * len(coded) / share
        narrower = max(min(width, _NARROWEST), int(width / too_much**0.5))
        too_much /= (width / narrower) ** 2
        frames, width = frames[: max(1, int(len(frames) / max(too_much, 1)))], narrower
        if len(frames) < 20:
            break
    raise UserError(f"{path} does not fit into {share / 1024:.0f} KiB; give more --size")


def _coded(frames: list[np.ndarray], width: int) -> bytes:
    import io

    import av

    height = round(frames[0].shape[0] * width / frames[0].shape[1])
    height, width = height - height % 2, width - width % 2
    file = io.BytesIO()
    with av.open(file, "w", format="mp4") as container:
        stream = container.add_stream("libx264", rate=Fraction(30))
        stream.height, stream.width, stream.pix_fmt = height, width, "yuv420p"
        stream.options = {"crf": str(_RATE), "preset": "medium"}
        for frame in frames:
            small = cv2.resize(frame, (width, height), interpolation=cv2.INTER_AREA)
            container.mux(stream.encode(av.VideoFrame.from_ndarray(small, "rgb24")))
        container.mux(stream.encode())
    return file.getvalue()


@told("vdeblur")
def main(argv: list[str] | None = None) -> int | None:
    parser = argparse.ArgumentParser(prog="python -m vdeblur_fast.training.pack", description=__doc__)
    parser.add_argument("data", type=Path, metavar="DATA", help="folder of sharp clips and stills")
    parser.add_argument("out", type=Path, metavar="OUT", help="the folder to write")
    parser.add_argument("--size", type=float, default=48, metavar="MIB", help="how large it may be (default 48)")
    arguments = parser.parse_args(argv)
    if not arguments.size > 0:
        parser.error(f"--size must be above 0, got {arguments.size}")
    taken = pack(arguments.data, arguments.out, arguments.size)
    print(f"{arguments.out}: {taken / MIB:.1f} MiB")


if __name__ == "__main__":
    sys.exit(main())
