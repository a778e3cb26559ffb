"""A stream of frames in, a stream of frames out: videos and folders of images.

`open_reader` reads anything, `open_writer` writes with all that the source holds besides the pictures, and
`process` sends the frames of the one through an engine to the other. PyAV and OpenCV are imported when they
are first needed.
"""

import importlib

_HOMES = {
    "Frame": "frame",
    "ImageReader": "images",
    "ImageWriter": "image_writer",
    "InputError": "errors",
    "OutputError": "errors",
    "VideoReader": "reader",
    "VideoWriter": "writer",
    "open_reader": "opening",
    "open_writer": "opening",
    "process": "pipeline",
    "side_by_side": "compare",
    "split": "compare",
}
__all__ = sorted(_HOMES)


def __getattr__(name: str):
    if name not in _HOMES:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return getattr(importlib.import_module(f"{__name__}.{_HOMES[name]}"), name)


def __dir__() -> list[str]:
    return [*globals(), *__all__]
