"""The file that a training continues from."""

import contextlib
import os
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import torch

from vdeblur_fast.errors import UserError

FORMAT = 1


def save_checkpoint(path: Path, state: dict[str, Any]) -> None:
    """Writes `state` whole or not at all: a kill at any moment leaves the file before or the file after."""
    with written_whole(path) as part:
        torch.save({"format": FORMAT, **state}, part)


def load_checkpoint(path: Path, mapped: bool = False) -> dict[str, Any]:
    """The state that `save_checkpoint` wrote, on the CPU; runs no code from the file.

    mapped: read tensors when they are looked at, for those who want little of a large file.

    Raises UserError for a file that is missing, damaged or something else.
    """
    if not path.is_file():
        raise UserError(f"{path} does not exist; give the checkpoint.pt of an earlier training")
    try:
        state = torch.load(path, map_location="cpu", weights_only=True, mmap=mapped)
    except Exception as error:  # torch raises many kinds for the many ways in which a file can be damaged
        raise UserError(
            f"{path} is damaged or not a checkpoint; remove it to start anew, or give another --resume"
        ) from error
    if not isinstance(state, dict) or state.get("format") != FORMAT:
        raise UserError(f"{path} is not a checkpoint of this trainer; remove it, or give another --resume")
    return state


@contextlib.contextmanager
def written_whole(path: Path) -> Iterator[Path]:
    """A temporary path beside `path` to write to; it takes the place of `path` when it is complete."""
    part = path.with_name(f".{path.name}.{os.getpid()}.part")
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        try:
            yield part
            os.replace(part, path)
        finally:
            part.unlink(missing_ok=True)
    except OSError as error:
        raise UserError(
            f"{path} cannot be written: {error.strerror or error}; free some space or name another place"
        ) from error
