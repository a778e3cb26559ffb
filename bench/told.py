"""What all commands of bench/ have in common: what goes wrong is one sentence, and is found before anything is
measured."""

import sys
import tempfile
from collections.abc import Callable
from functools import wraps
from pathlib import Path

from vdeblur_fast.cli.failures import explain
from vdeblur_fast.errors import UserError

MISTAKE, INTERRUPTED = 2, 130


def told(program: str) -> Callable[[Callable[..., int | None]], Callable[..., int]]:
    """Decorates a command: its exit status, 0 where it gives none; 2 for a mistake of the user's, which is printed, and
    130 after Ctrl-C. A mistake of ours keeps its traceback."""

    def decorate(command: Callable[..., int | None]) -> Callable[..., int]:
        @wraps(command)
        def run(arguments: list[str] | None = None) -> int:
            try:
                return command(arguments) or 0
            except KeyboardInterrupt:
                print(f"{program}: interrupted", file=sys.stderr)
                return INTERRUPTED
            except Exception as error:
                sentence = explain(error)
                if sentence is None:
                    raise
                print(f"{program}: {sentence}", file=sys.stderr)
                return MISTAKE

        return run

    return decorate


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
