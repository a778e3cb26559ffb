"""What the command says when the work is done."""

import sys
from collections.abc import Sequence
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from ..video import VideoReader, VideoWriter


def tell(reader: "VideoReader", writers: Sequence["VideoWriter"], quiet: bool) -> None:
    """One sentence on stderr for all that was wrong with the input, always, and for all that was left out."""
    said = list(reader.problems)
    for writer in writers if not quiet else ():
        said += [warning for warning in writer.warnings if warning not in said]
    for sentence in said:
        print(f"vdeblur: {sentence}", file=sys.stderr)


def summary(frames: int, seconds: float, outputs: object) -> str:
    rate = frames / max(seconds, 1e-9)
    return f"{frames} frame{'s' * (frames != 1)} in {seconds:.1f} s ({rate:.2f} frames/s) -> {outputs}"
