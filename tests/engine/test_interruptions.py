"""After a failure a Deblurrer begins anew: no frame gets the image of another."""

import numpy as np
import pytest
import torch

from vdeblur_fast import Deblurrer
from vdeblur_fast.reference.networks import VideoNetwork

SETTINGS = {"scene_cuts": False, "strength": 0.5, "accelerate": False, "device": "cpu"}


class Failing(VideoNetwork):
    """Gives back the frame, so that it shows whose image it is; fails once, at a call of one of its steps."""

    past, future = 2, 2

    def __init__(self, step: str, call: int, error: BaseException):
        super().__init__()
        self.step, self.left, self.error = step, call, error

    def encode(self, frame, state=None):
        self._fail("encode")
        return frame, state

    def decode(self, window, state=None):
        self._fail("decode")
        return window[2], state

    def _fail(self, step):
        self.left -= step == self.step
        if step == self.step and self.left == 0:
            raise self.error


def grey(level: int, *size: int) -> np.ndarray:
    return np.full((*(size or (8, 12)), 3), level, np.uint8)


@pytest.mark.parametrize("error", [torch.OutOfMemoryError("too little memory"), KeyboardInterrupt()], ids=repr)
@pytest.mark.parametrize(("step", "fails", "left"), [("encode", 1, [2, 3, 4, 5]), ("decode", 2, [3, 4, 5])])
def test_after_a_frame_that_failed_the_next_one_is_the_first(step, fails, left, error):
    engine = Deblurrer(Failing(step, 2 if step == "encode" else 1, error), **SETTINGS)
    sharp, failed = [], []
    for i in range(6):
        try:
            sharp += engine.push(grey(40 * i))
        except type(error):
            failed.append(i)
    sharp += engine.flush()
    assert failed == [fails]
    assert [int(image[0, 0, 0]) for image in sharp] == [40 * i for i in left]


def test_after_a_frame_that_failed_another_size_is_its_own():
    engine = Deblurrer(Failing("encode", 2, torch.OutOfMemoryError()), **SETTINGS)
    engine.push(grey(0))
    with pytest.raises(torch.OutOfMemoryError):
        engine.push(grey(0))
    sharp = [*engine.push(grey(0, 20, 24)), *engine.push(grey(0, 20, 24)), *engine.flush()]
    assert [image.shape for image in sharp] == [(20, 24, 3)] * 2


def test_what_fails_at_the_end_leaves_nothing_behind():
    engine = Deblurrer(Failing("decode", 2, torch.OutOfMemoryError()), **SETTINGS)
    for level in (40, 80):
        engine.push(grey(level))
    with pytest.raises(torch.OutOfMemoryError):
        engine.flush()
    assert [int(image[0, 0, 0]) for image in engine.stream([grey(120), grey(160)])] == [120, 160]


def test_a_frame_that_is_refused_disturbs_nothing():
    engine = Deblurrer(Failing("", 0, KeyboardInterrupt()), **SETTINGS)
    sharp = engine.push(grey(40))
    for wrong in (np.zeros((8, 12), np.uint8), np.full((8, 12, 3), np.nan, np.float32)):
        with pytest.raises(ValueError, match=r"a .*frame must be"):
            engine.push(wrong)
    sharp += [*engine.push(grey(80)), *engine.flush()]
    assert [int(image[0, 0, 0]) for image in sharp] == [40, 80]
