"""Where results go: whether they can be written there is found before anything is measured."""

import tempfile
from pathlib import Path

from vdeblur_fast.errors import UserError


def check_folder(folder: Path, option: str = "--out") -> None:
    """Makes a folder for results. Raises UserError where there can be none, or nothing can be written into it."""
    there = next(path for path in (folder, *folder.parents) if path.exists())
    if not there.is_dir():
        raise UserError(f"{option} {folder}: {there} is a file; name a folder")
    try:
        folder.mkdir(parents=True, exist_ok=True)
        tempfile.TemporaryFile(dir=folder).close()
    except OSError as error:
        raise UserError(f"{option} {folder}: nothing can be written there; choose another folder") from error


def check_file(path: Path, option: str) -> None:
    """Raises UserError where no file of this name can be written."""
    if path.exists() and not path.is_file():
        raise UserError(f"{option} {path} is no file that could be replaced; choose another name")
    check_folder(path.parent, option)
