"""`vdeblur run --report`: which frames each frame was made of, as JSON that appears when it is whole."""

import argparse
import json
import os
from collections.abc import Iterable
from pathlib import Path

from ..errors import UserError


class ChoiceReport:
    """A file that `add` is called for, frame by frame; used in a `with`, after which it stands there or never was.

    {"model": ..., "frames": u, "lookahead": k, "images": [{"frame": 0, "neighbours": [1, 4]}, ...]}

    frame: numbers from 0, the first frame that was read. u and k are null where the network's own numbers held.
    neighbours: those the image was made of, beside the frame itself; a recurrent network remembers others as well.

    inputs: the images that are read, if it is images.

    Raises UserError where it would replace an input, the output or, without --overwrite, any file.
    """

    def __init__(self, options: argparse.Namespace, inputs: Iterable[Path] = ()):
        from ..video.atomic import AtomicOutput

        if not options.report:
            raise UserError("--report is empty; give the name of a file")
        path = Path(options.report)
        if os.path.realpath(path) == os.path.realpath(options.output):
            raise UserError(f"--report {path} is the output itself; choose another name")
        self._output = AtomicOutput(path, Path(options.input), options.overwrite, inputs=inputs)
        self._file = self._output.temporary.open("w", encoding="utf-8")
        head = {"model": options.model, "frames": options.frames, "lookahead": options.lookahead}
        self._file.write(json.dumps(head)[:-1] + ', "images": [')
        self._before = "\n"

    def add(self, frame: int, neighbours: list[int]) -> None:
        self._file.write(self._before + json.dumps({"frame": frame, "neighbours": neighbours}))
        self._before = ",\n"

    def __enter__(self) -> "ChoiceReport":
        return self

    def __exit__(self, kind, error, traceback) -> None:
        try:
            if kind is None:
                self._file.write("\n]}\n")
            self._file.close()
        except OSError:
            self._output.discard()
            raise
        self._output.commit() if kind is None else self._output.discard()
