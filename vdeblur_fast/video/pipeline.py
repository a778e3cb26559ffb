"""Decoding, computing and encoding side by side."""

import queue
import threading
from collections import deque
from collections.abc import Callable
from typing import Protocol

import numpy as np

from vdeblur_fast.video.frame import Frame

AHEAD = 4  # frames that may wait between two stages


class Engine(Protocol):
    """What turns images into images: one out for each one in, in order, sooner or later."""

    def push(self, image: np.ndarray) -> list[np.ndarray]: ...

    def flush(self) -> list[np.ndarray]: ...


def process(
    reader,
    writer,
    engine: Engine | None,
    on_progress: Callable[[int], None] | None = None,
    transform: Callable[[np.ndarray, np.ndarray], np.ndarray] | None = None,
) -> int:
    """Sends every frame of `reader` through `engine` to `writer`; returns how many there were.

    reader       iterable of `Frame`; read in a thread of its own
    writer       `write(frame)`, `close()`, `abort()`; written to in another
    engine       computes in the calling thread; None copies the frames as they are
    on_progress  called after each finished frame with the number finished so far
    transform    (before, after) -> the image to write, such as `side_by_side`

    Each finished image gets the time of the frame it came from. At most a few frames wait between the stages,
    so memory does not grow with the length of the video. On success the writer is closed, and its file
    appears; on any exception, in whichever thread, the writer is aborted and the exception raised here with
    its own traceback.
    """
    stop = threading.Event()
    decoding = _Stage("decode", stop)
    encoding = _Stage("encode", stop)
    decoding.start(lambda: decoding.fill(reader))
    encoding.start(lambda: encoding.drain(writer.write))
    done = 0
    try:
        for frame in _computed(decoding, engine, transform):
            encoding.put(frame)
            done += 1
            if on_progress:
                on_progress(done)
        encoding.put(_END)
        encoding.join()
        if stop.is_set():
            raise _Stopped
        writer.close()
    except BaseException as error:
        stop.set()
        decoding.join()
        encoding.join()
        writer.abort()
        if isinstance(error, _Stopped):
            raise (decoding.error or encoding.error) from None
        raise
    return done


def _computed(frames, engine: Engine | None, transform):
    """The finished frames, in order."""
    waiting: deque[Frame] = deque()

    def finish(images):
        for image in images:
            if not waiting:
                raise RuntimeError("the engine returned more images than it was given")
            frame = waiting.popleft()
            yield frame.with_image(transform(frame.image, image) if transform else image)

    for frame in frames:
        waiting.append(frame if transform or engine is None else frame.with_image(None))
        yield from finish(engine.push(frame.image) if engine else [frame.image])
    yield from finish(engine.flush() if engine else [])
    if waiting:
        raise RuntimeError(f"the engine kept {len(waiting)} of the images it was given")


_END = object()


class _Stopped(Exception):
    """Another stage failed; what it raised is what counts."""


class _Stage:
    """A thread and the queue between it and the calling thread; `error` is what the thread raised.

    Nobody waits for ever: every wait looks at `stop` a few times a second, and a thread that fails sets it.
    Then `put` and iteration raise `_Stopped`.
    """

    def __init__(self, name: str, stop: threading.Event):
        self._name = name
        self._stop = stop
        self._queue = queue.Queue(AHEAD)
        self.error: BaseException | None = None
        self._thread: threading.Thread | None = None

    def start(self, work: Callable[[], None]) -> None:
        self._thread = threading.Thread(target=self._run, args=(work,), name=f"vdeblur-{self._name}", daemon=True)
        self._thread.start()

    def _run(self, work: Callable[[], None]) -> None:
        try:
            work()
        except _Stopped:
            pass
        except BaseException as error:
            self.error = error
            self._stop.set()

    def fill(self, items) -> None:
        """In the thread: puts every item, then the end."""
        for item in items:
            self.put(item)
        self.put(_END)

    def drain(self, consume) -> None:
        """In the thread: takes every item until the end."""
        while (item := self._get()) is not _END:
            consume(item)

    def __iter__(self):
        """In the calling thread: the items until the end."""
        while (item := self._get()) is not _END:
            yield item

    def join(self) -> None:
        """Waits for the thread to end."""
        self._thread.join()

    def put(self, item) -> None:
        """From either side: hands an item over as soon as there is room."""
        while not self._stop.is_set():
            try:
                return self._queue.put(item, timeout=0.1)
            except queue.Full:
                continue
        raise _Stopped

    def _get(self):
        while not self._stop.is_set():
            try:
                return self._queue.get(timeout=0.1)
            except queue.Empty:
                continue
        raise _Stopped
