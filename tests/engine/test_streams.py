"""One Deblurrer, one video at a time."""

import pytest
import torch

from vdeblur_fast import Deblurrer
from vdeblur_fast.reference.networks import build

CLIPS = torch.rand(2, 5, 3, 32, 36, generator=torch.Generator().manual_seed(0))


@pytest.fixture(scope="module")
def engine():
    return Deblurrer(build("strcnn-dtb"), accelerate=False)


def test_a_second_stream_within_the_first_is_refused(engine):
    first = engine.stream(CLIPS[0])
    next(first)
    with pytest.raises(RuntimeError, match="another stream has not ended; end or close it, or make a second Deblurrer"):
        next(engine.stream(CLIPS[1]))
    rest = list(first)  # which that has not disturbed
    for found, wanted in zip(rest, list(engine.stream(CLIPS[0]))[1:], strict=True):
        torch.testing.assert_close(found, wanted)


def test_one_after_the_other_is_fine(engine):
    first = engine.stream(CLIPS[0])
    next(first)
    first.close()
    assert len(list(engine.stream(CLIPS[1]))) == 5
    for _ in engine.stream(CLIPS[0]):
        break
    assert len(list(engine.stream(CLIPS[1]))) == 5
