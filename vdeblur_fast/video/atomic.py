"""An output that appears only when it is whole."""

import contextlib
import itertools
import os
import secrets
import shutil
from collections import deque
from collections.abc import Callable, Iterable
from pathlib import Path

from vdeblur_fast.video.errors import OutputError, output_error
from vdeblur_fast.video.signature import is_signed

LONGEST = 255  # bytes of a file's name

finished: deque[Path] = deque(maxlen=1)  # the last output that stands in its place, for who is interrupted later


def unsigned(folder: Path) -> list[Path]:
    """What is in a folder beside PNG images that we have written."""
    return [entry for entry in folder.iterdir() if not is_signed(entry)]


class AtomicOutput:
    """A hidden temporary file (or folder) beside `path`: takes its place on `commit`, vanishes on `discard`.

    What appears at `path` in the meantime is not replaced either, where it could not have been at the start.

    source     what is read, if anything; inputs: the files in it, where it is a folder or a pattern
    overwrite  replace a file that exists, or a folder that holds nothing that is not ours
    foreign    of a folder that exists, what is in it that is not ours

    Raises OutputError at once where the output would overwrite its input, exists (unless `overwrite`), or its
    folder is missing or not writable.
    """

    def __init__(
        self,
        path: Path,
        source: Path | None,
        overwrite: bool,
        folder: bool = False,
        inputs: Iterable[Path] = (),
        foreign: Callable[[Path], list[Path]] = unsigned,
    ):
        if str(path) == "-":
            raise OutputError("the output -, standard output, is not supported; name a file or a folder")
        self.path = Path(os.path.realpath(path)) if path.is_symlink() or path.name in ("", "..") else path
        self._name = path
        self._inputs = [*([] if source is None else [source]), *inputs]
        self._overwrite = overwrite
        self._folder = folder
        self._foreign = foreign
        self._check()
        self.temporary = self._hidden()
        self._open = True
        try:
            if folder:
                self.temporary.mkdir()
            else:
                os.close(os.open(self.temporary, os.O_CREAT | os.O_EXCL | os.O_WRONLY, 0o666))
        except OSError as error:
            self._open = False
            raise output_error(error, self.path) from error

    def _hidden(self) -> Path:
        """.NAME.part-0a1b2c3d.mp4: the extension stays, because the muxer is chosen by it."""
        return self._beside(f".part-{secrets.token_hex(4)}", ".")

    def _beside(self, end: str, start: str = "") -> Path:
        """A file beside the output, of the same extension; where the name would be too long, it is cut."""
        extension = "" if self._folder else self.path.suffix
        name = os.fsencode(start + self.path.name.removesuffix(extension))
        name = name[: max(1, LONGEST - len(os.fsencode(end + extension)))]
        return self.path.parent / (name.decode(errors="ignore") + end + extension)

    def _check(self) -> None:
        path = self._name
        if not self.path.exists():
            return
        if any(file.exists() and os.path.samefile(file, self.path) for file in self._inputs):
            raise OutputError(f"the output {path} is the input itself; choose another name")
        if self._folder:
            self._check_folder()
        elif self.path.is_dir():
            raise OutputError(f"{path} is a folder; give the name of a file in it")
        elif not self.path.is_file():
            raise OutputError(f"{path} is not an ordinary file and cannot be replaced; choose another name")
        elif not self._overwrite:
            raise OutputError(f"{path} exists already; add --overwrite to replace it, or choose another name")

    def _check_folder(self) -> None:
        path = self._name
        if not self.path.is_dir():
            raise OutputError(f"{path} is a file, so images cannot be put into it; choose another name")
        if os.path.samefile(self.path, ".") or os.path.ismount(self.path):
            what = "the top of a disk" if os.path.ismount(self.path) else "the folder you are in"
            raise OutputError(f"{path} is {what} and cannot be replaced; name a new folder in it")
        if inside := _first_in(self.path, self._inputs):
            raise OutputError(f"the input {inside} is in {path}, which would be replaced; choose another folder")
        if any(self.path.iterdir()) and not self._overwrite:
            raise OutputError(f"{path} exists already; add --overwrite to replace it, or choose another name")
        if foreign := min((entry.name for entry in self._foreign(self.path)), default=None):
            raise OutputError(
                f"{path} holds other things than this command writes ({foreign}), so it is not replaced; "
                "choose another folder"
            )

    def commit(self) -> None:
        """Puts the finished output in its place.

        Raises OutputError where it cannot be put there, and where something has appeared there that is not to be
        replaced: then it is kept under another name, which the sentence says.
        """
        old = self._hidden()
        try:
            if self._has_changed():
                beside = self._free()
                os.replace(self.temporary, beside)
                self._open = False
                raise OutputError(f"something has appeared at {self.path} and was kept; the result is in {beside}")
            if self._folder and self.path.exists():
                os.replace(self.path, old)
            os.replace(self.temporary, self.path)
            self._open = False
            finished.append(self.path)
        except OSError as error:
            self.discard()
            raise output_error(error, self.path) from error
        finally:
            self._settle(old)

    def _has_changed(self) -> bool:
        try:
            self._check()
        except OutputError:
            return True
        return False

    def _free(self) -> Path:
        """NAME-1.mp4, or the first number that nothing has."""
        names = (self._beside(f"-{number}") for number in itertools.count(1))
        return next(name for name in names if not os.path.lexists(name))

    def _settle(self, old: Path) -> None:
        """Removes the folder that was replaced, or puts it back if it was not, whatever happens."""
        if not old.exists():
            return
        if not self.path.exists():
            os.replace(old, self.path)
            return
        try:
            shutil.rmtree(old, ignore_errors=True)
        except BaseException:  # somebody has interrupted it
            shutil.rmtree(old, ignore_errors=True)
            raise

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


def _first_in(folder: Path, files: Iterable[Path]) -> Path | None:
    """The first of the files that a folder holds, itself or the link that its name is."""
    folder = os.path.realpath(folder)
    for file in files:
        places = os.path.realpath(file), os.path.join(os.path.realpath(file.parent), file.name)
        if any(Path(place).is_relative_to(folder) for place in places):
            return file
    return None
