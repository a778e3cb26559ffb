"""Opening a video file and finding the stream that is the video."""

from pathlib import Path

import av

from vdeblur_fast.video.errors import InputError

MP4_BOXES = (b"ftyp", b"mdat", b"wide", b"free", b"skip")


def open_input(path: Path) -> av.container.InputContainer:
    """The opened container of the file at `path`.

    Raises InputError with one sentence where there is none.
    """
    if not path.exists():
        raise InputError(f"{path} does not exist; check the name and the folder")
    if not path.is_file():
        raise InputError(f"{path} is not a file; name a video file or a folder of images")
    if path.stat().st_size == 0:
        raise InputError(f"{path} is empty (0 bytes); it was perhaps not copied completely")
    try:
        return av.open(str(path.absolute()), metadata_errors="replace")  # absolute: a name may hold a colon
    except PermissionError as error:
        raise InputError(f"{path} may not be read; check its permissions") from error
    except (av.FFmpegError, ValueError, OSError) as error:
        raise InputError(_why_not(path, error)) from error


def find_video(container: av.container.InputContainer, path: Path):
    """The stream with the moving picture: the default one, else the largest, never a cover picture."""
    streams = [s for s in container.streams.video if s.codec_context is not None and not is_cover(s)]
    if not streams:
        if container.streams.video and any(s.codec_context is None for s in container.streams.video):
            raise InputError(f"{path} holds video in a coding that cannot be decoded here; convert it first")
        kinds = sorted({stream.type for stream in container.streams if stream.type})
        holds = f"only {' and '.join(kinds)}" if kinds else "no streams"
        raise InputError(f"{path} has no video in it, {holds}; name a file with a video track")
    default = av.stream.Disposition.default
    return max(streams, key=lambda s: (bool(s.disposition & default), s.width * s.height, -s.index))


def is_cover(stream) -> bool:
    """Whether a video stream is a picture attached to the file: cover art or a thumbnail."""
    return bool(stream.disposition & av.stream.Disposition.attached_pic)


def _why_not(path: Path, error: Exception) -> str:
    with path.open("rb") as file:
        head = file.read(12)
    if head[4:8] in MP4_BOXES:
        return (
            f"{path} has no index (moov atom not found): the recording was cut off before its end "
            "was written, so nothing in it can be decoded"
        )
    return f"{path} is not a video that can be read ({getattr(error, 'strerror', None) or error})"
