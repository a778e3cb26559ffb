"""Which blurry clip belongs to which sharp one, and which of their frames."""

from dataclasses import dataclass
from itertools import zip_longest
from pathlib import Path
from typing import TYPE_CHECKING

from ..errors import UserError

if TYPE_CHECKING:
    from ..video import Frame, ImageReader, VideoReader

VIDEOS = {
    *(".mp4", ".m4v", ".mov", ".mkv", ".webm", ".avi", ".wmv", ".flv", ".mpg", ".mpeg", ".vob"),
    *(".ts", ".mts", ".m2ts", ".mxf", ".ogv", ".3gp", ".y4m", ".nut", ".gif", ".apng"),
}


class PairError(UserError):
    """Blurry and sharp clips that do not belong together."""


@dataclass(frozen=True)
class Pair:
    """Two clips of the same scene, each a video file or a folder of images."""

    name: str
    blurry: Path
    sharp: Path


def find_pairs(blurry: Path, sharp: Path) -> list[Pair]:
    """Two clips make one pair; of two folders of clips, those of the same name do, whatever their suffix.

    Raises PairError where one is a clip and the other a folder of clips, where a clip has no partner, and
    where there are none.
    """
    kinds = {path: holds_clips(path) for path in (blurry, sharp)}
    if not any(kinds.values()):
        return [Pair(blurry.stem, blurry, sharp)]
    if not all(kinds.values()):
        one, many = (sharp, blurry) if kinds[blurry] else (blurry, sharp)
        raise PairError(f"{one} is one clip but {many} is a folder of clips; give two clips or two folders")
    ours, theirs = clips_of(blurry), clips_of(sharp)
    lonely = sorted(ours.keys() ^ theirs.keys())
    if lonely:
        name = lonely[0]
        has, lacks = (blurry, sharp) if name in ours else (sharp, blurry)
        more = f" (one of {len(lonely)} without)" if len(lonely) > 1 else ""
        raise PairError(f"{name!r} in {has} has no partner in {lacks}{more}; clips are matched by name")
    return [Pair(name, ours[name], theirs[name]) for name in sorted(ours)]


def holds_clips(path: Path) -> bool:
    """Whether it is a folder of clips, rather than one clip: a file, or a folder of images."""
    return path.is_dir() and not holds_images(path)


def holds_images(folder: Path) -> bool:
    from ..video.images import is_image

    return any(is_image(path) and path.is_file() for path in folder.iterdir())


def clips_of(folder: Path) -> dict[str, Path]:
    """The video files and the folders of images in a folder, by name.

    Raises PairError where there are none, or two of one name.
    """
    found: dict[str, Path] = {}
    for path in sorted(folder.iterdir()):
        if path.name.startswith("."):
            continue
        if path.suffix.lower() in VIDEOS and path.is_file():
            name = path.stem
        elif path.is_dir() and holds_images(path):
            name = path.name
        else:
            continue
        if name in found:
            both = f"{found[name].name} and {path.name}"
            raise PairError(f"{folder} has two clips called {name!r}, {both}; rename one")
        found[name] = path
    if not found:
        raise PairError(f"{folder} holds no video files and no images; give a clip or a folder of clips")
    return found


def check_names(blurry: "VideoReader | ImageReader", sharp: "VideoReader | ImageReader") -> None:
    """Raises PairError where two folders name some of their images alike, but not all, in the same order.

    Folders that share no name number their images each in its own way, which says nothing.
    """
    files = [getattr(reader, "files", []) for reader in (blurry, sharp)]
    ours, theirs = ([file.stem for file in some] for some in files)
    if ours == theirs or not set(ours) & set(theirs):
        return
    one, other = next(
        (one, other) for one, other in zip_longest(*files) if not (one and other and one.stem == other.stem)
    )
    has, where = one.name if one else "nothing", other.name if other else "nothing"
    raise PairError(
        f"{blurry.path} has {has} where {sharp.path} has {where}; images are matched by name, so name them alike"
    )


def check_places(clips: list[tuple["VideoReader | ImageReader", "Frame"]], count: int) -> None:
    """Raises PairError where the next frames of two clips do not belong together, for an image was left out of one.

    clips: each one's reader and frame; count: how many came before.
    """
    places = [frame.pts if reader.is_images else count for reader, frame in clips]
    if places[0] != places[1]:
        reader, frame = clips[places[0] < places[1]]
        raise PairError(
            f"an image of {reader.path} before {frame.name} cannot be read, so it has no partner; replace it, or "
            "remove it from both clips"
        )
