"""An output that appears only when it is whole."""

import contextlib
import os
import secrets
import shutil
from pathlib import Path

from vdeblur_fast.video.errors import OutputError, output_error


class AtomicOutput:
    """A hidden temporary file (or folder) beside `path`: takes its place on `commit`, vanishes on `discard`.

    beside: names of files that a folder of ours holds beside its images, and may be replaced with.

    Raises OutputError at once where the output would overwrite its input, exists (unless `overwrite`), or its
    folder is missing or not writable.
    """

    def __init__(
        self, path: Path, source: Path | None, overwrite: bool, folder: bool = False, beside: tuple[str, ...] = ()
    ):
        self.path = Path(os.path.realpath(path)) if path.is_symlink() else path
        self._folder = folder
        self._beside = beside
        self._check(path, source, overwrite)
        self.temporary = self.path.parent / _hidden_name(self.path.name)
        self._open = True
        try:
            if folder:
                self.temporary.mkdir()
            else:
                os.close(os.open(self.temporary, os.O_CREAT | os.O_EXCL | os.O_WRONLY, 0o666))
        except OSError as error:
            self._open = False
            raise output_error(error, self.path) from error

    def _check(self, path: Path, source: Path | None, overwrite: bool) -> None:
        if not self.path.exists():
            return
        if source is not None and source.exists() and os.path.samefile(source, self.path):
            raise OutputError(f"the output {path} is the input itself; choose another name")
        if self._folder:
            self._check_folder(path, overwrite)
        elif self.path.is_dir():
            raise OutputError(f"{path} is a folder; give the name of a file in it")
        elif not self.path.is_file():
            raise OutputError(f"{path} is not an ordinary file and cannot be replaced; choose another name")
        elif not overwrite:
            raise OutputError(f"{path} exists already; add --overwrite to replace it, or choose another name")

    def _check_folder(self, path: Path, overwrite: bool) -> None:
        from vdeblur_fast.video.images import is_image

        if not self.path.is_dir():
            raise OutputError(f"{path} is a file, so images cannot be put into it; choose another name")
        entries = list(self.path.iterdir())
        if entries and not overwrite:
            raise OutputError(f"{path} exists already; add --overwrite to replace it, or choose another name")
        ours = (e for e in entries if e.is_file() and (is_image(e) or e.name in self._beside))
        if strange := min((e.name for e in set(entries).difference(ours)), default=None):
            raise OutputError(f"{path} holds other things than images ({strange}), so it is not replaced")

    def commit(self) -> None:
        """Puts the finished output in its place."""
        try:
            if self._folder and self.path.exists():
                old = self.path.parent / _hidden_name(self.path.name)
                os.replace(self.path, old)
                os.replace(self.temporary, self.path)
                shutil.rmtree(old, ignore_errors=True)
            else:
                os.replace(self.temporary, self.path)
        except OSError as error:
            self.discard()
            raise output_error(error, self.path) from error
        self._open = False

    def discard(self) -> None:
        """Removes what was written; the output stays as it was."""
        if not self._open:
            return
        self._open = False
        if self._folder:
            shutil.rmtree(self.temporary, ignore_errors=True)
        else:
            with contextlib.suppress(FileNotFoundError):
                self.temporary.unlink()


def _hidden_name(name: str) -> str:
    """.NAME.part-0a1b2c3d.mp4: the extension stays, because the muxer is chosen by it."""
    stem, extension = os.path.splitext(name)
    return f".{stem[:180]}.part-{secrets.token_hex(4)}{extension}"
