"""The right reader for an input and the right writer for an output, by their names."""

import os
import re
from pathlib import Path

from vdeblur_fast.video.errors import InputError, OutputError
from vdeblur_fast.video.image_writer import ImageWriter
from vdeblur_fast.video.images import ImageReader, is_image
from vdeblur_fast.video.reader import VideoReader
from vdeblur_fast.video.writer import VideoWriter


def open_reader(path, start: float | None = None, end: float | None = None, **options) -> VideoReader | ImageReader:
    """A reader for a video file, a folder of images, a pattern like frames/%05d.png, or one image.

    start, end  seconds; options: those of `VideoReader` or `ImageReader` (`upright`, `frame_rate` of images)

    Raises InputError with one sentence for anything that is not one of these.
    """
    if not os.fspath(path):
        raise InputError("the name of the input is empty; name a video file or a folder of images")
    path = Path(path)
    if path.is_dir() or is_image(path) or (re.search(r"%0?\d*d", path.name) and not path.exists()):
        return ImageReader(path, start, end, **options)
    options.pop("frame_rate", None)
    return VideoReader(path, start, end, **options)


def open_writer(path, source, **options) -> VideoWriter | ImageWriter:
    """A writer for `path`: a folder where it ends in / or has no extension, one image, else a video.

    source   the reader whose frames will be written
    options  those of `VideoWriter` (codec, crf, preset, pix_fmt, size, overwrite); a folder takes the last
    two

    Raises OutputError with one sentence for whatever cannot be written.
    """
    text = os.fspath(path)
    if not text:
        raise OutputError("the name of the output is empty; name a video file, or a folder ending in /")
    path = Path(path)
    if text.endswith(("/", os.sep)) or path.is_dir() or not path.suffix:
        return ImageWriter(path, source, **_for_images(options))
    if is_image(path):
        return ImageWriter(path, source, single=True, **_for_images(options))
    return VideoWriter(path, source, **options)


def _for_images(options: dict) -> dict:
    """Without the options of a video encoder, which an image has no use for."""
    return {name: value for name, value in options.items() if name in ("size", "overwrite")}
