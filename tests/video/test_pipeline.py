"""Stages that work side by side: in order, in bounded memory, every exception reaching the caller."""

import threading
import time
import traceback
from fractions import Fraction

import numpy as np
import pytest

from vdeblur_fast.video import Frame, process
from vdeblur_fast.video.pipeline import AHEAD


def frames(count, log=None):
    for index in range(count):
        if log is not None:
            log.append(index)
        yield Frame(np.full((2, 2, 3), index, np.uint8), 7 * index, Fraction(1, 100), 7)


class Writer:
    """Collects frames; sleeps or fails when told to."""

    def __init__(self, pause=0.0, fail_at=None, error=None):
        self.got, self.state = [], "open"
        self.pause, self.fail_at, self.error = pause, fail_at, error

    def write(self, frame):
        time.sleep(self.pause)
        if len(self.got) == self.fail_at:
            raise self.error
        self.got.append(frame)

    def close(self):
        self.state = "closed"

    def abort(self):
        self.state = "aborted"


class Delay:
    """An engine that looks `ahead` images ahead and adds 100."""

    def __init__(self, ahead=2):
        self.ahead, self.held = ahead, []

    def push(self, image):
        self.held.append(image)
        return [self.held.pop(0) + 100] if len(self.held) > self.ahead else []

    def flush(self):
        rest, self.held = [image + 100 for image in self.held], []
        return rest


@pytest.mark.parametrize("count", [0, 1, 2, 3, 30])
@pytest.mark.parametrize("ahead", [0, 2, 7])
def test_each_image_keeps_the_time_of_its_frame(count, ahead):
    writer, seen = Writer(), []
    assert process(frames(count), writer, Delay(ahead), on_progress=seen.append) == count
    assert [frame.pts for frame in writer.got] == [7 * index for index in range(count)]
    assert [int(frame.image[0, 0, 0]) for frame in writer.got] == [100 + index for index in range(count)]
    assert {frame.duration for frame in writer.got} <= {7}
    assert seen == list(range(1, count + 1))
    assert writer.state == "closed"


def test_without_an_engine_frames_pass():
    writer = Writer()
    process(frames(5), writer, None)
    assert [int(frame.image[0, 0, 0]) for frame in writer.got] == list(range(5))


def test_transform_sees_before_and_after():
    writer = Writer()
    process(frames(5), writer, Delay(), transform=lambda before, after: np.concatenate((before, after), 1))
    assert [frame.image[0, :, 0].tolist() for frame in writer.got] == [[i, i, 100 + i, 100 + i] for i in range(5)]


@pytest.mark.parametrize("slow", ["engine", "writer"])
def test_only_a_few_frames_wait(slow):
    read, most = [], 0
    writer = Writer(pause=0.01 if slow == "writer" else 0)

    class Engine:
        def push(self, image):
            nonlocal most
            time.sleep(0.01 if slow == "engine" else 0)
            most = max(most, len(read) - len(writer.got))
            return [image]

        def flush(self):
            return []

    process(frames(60, read), writer, Engine())
    assert len(writer.got) == 60
    assert most <= 2 * AHEAD + 4


def test_the_stages_overlap():
    """Each frame can only be read while the one before is computed and the one before that is written: the three wait
    for each other, which stages that take turns would do in vain."""
    meeting, count = threading.Barrier(3, timeout=30), 20

    class Engine:
        def push(self, image):
            if 1 <= image[0, 0, 0] < count - 1:
                meeting.wait()
            return [image]

        def flush(self):
            return []

    class Meeting(Writer):
        def write(self, frame):
            if len(self.got) < count - 2:
                meeting.wait()
            super().write(frame)

    def met():
        for index, frame in enumerate(frames(count)):
            if index >= 2:
                meeting.wait()
            yield frame

    assert process(met(), Meeting(), Engine()) == count


def broken_frames():
    yield from frames(3)
    raise ZeroDivisionError("in the reader")


class BrokenEngine(Delay):
    def push(self, image):
        if image[0, 0, 0] == 3:
            raise ZeroDivisionError("in the engine")
        return super().push(image)


@pytest.mark.parametrize(
    ("source", "engine", "fail_at", "place"),
    [
        (broken_frames, Delay(), None, "broken_frames"),
        (lambda: frames(100), BrokenEngine(), None, "push"),
        (lambda: frames(100), Delay(), 3, "write"),
        (lambda: frames(100), Delay(), 0, "write"),
        (lambda: frames(4), Delay(), 3, "write"),
    ],
    ids=["reader", "engine", "writer", "writer-at-once", "writer-at-the-end"],
)
def test_exceptions_come_through_with_their_traceback(source, engine, fail_at, place):
    writer = Writer(fail_at=fail_at, error=ZeroDivisionError("in the writer"))
    with pytest.raises(ZeroDivisionError) as caught:
        process(source(), writer, engine)
    assert place in [entry.name for entry in traceback.extract_tb(caught.tb)]
    assert writer.state == "aborted"
    assert not [thread for thread in threading.enumerate() if thread.name.startswith("vdeblur-")]


@pytest.mark.parametrize("error", [KeyboardInterrupt, SystemExit])
def test_an_interrupt_stops_cleanly(error):
    def interrupt(done):
        if done == 5:
            raise error

    writer = Writer(pause=0.01)
    with pytest.raises(error):
        process(frames(10**6), writer, Delay(), on_progress=interrupt)
    assert writer.state == "aborted"
    assert len(writer.got) <= 5


@pytest.mark.parametrize("images", [0, 2])
def test_an_engine_that_loses_or_invents_images_is_a_bug(images):
    class Wrong:
        def push(self, image):
            return [image] * images

        def flush(self):
            return []

    writer = Writer()
    with pytest.raises(RuntimeError, match="the engine"):
        process(frames(3), writer, Wrong())
    assert writer.state == "aborted"
