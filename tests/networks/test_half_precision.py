"""In half precision a network loses nothing of a picture that it is given in float32."""

import numpy as np
import pytest
import torch

from vdeblur_fast import Deblurrer, accelerate, build
from vdeblur_fast.device import PRECISIONS
from vdeblur_fast.reference.networks import VideoNetwork

# What each adds to the frame is nothing at first.
NAMES = ("mmp-rnn-tiny", "gsta-net-small", "david-small-single7")


def identity(name: str) -> VideoNetwork:
    torch.manual_seed(0)
    network = build(name).eval().requires_grad_(False)
    network.start_from_identity()
    return network


@pytest.mark.parametrize("half", ["bf16", "fp16"])
@pytest.mark.parametrize("faster", [False, True], ids=["plain", "accelerated"])
@pytest.mark.parametrize("name", NAMES)
@torch.inference_mode()
def test_the_picture_itself_is_not_rounded(name, faster, half):
    network, clip = identity(name), torch.rand(1, 2, 3, 32, 64)
    network = accelerate(network, half) if faster else network.compute_in(PRECISIONS[half])
    sharp = network(clip)
    assert sharp.dtype == torch.float32
    torch.testing.assert_close(sharp, clip, rtol=0, atol=1e-6)
    rounded = network(clip.to(PRECISIONS[half]))
    assert rounded.dtype == PRECISIONS[half]
    torch.testing.assert_close(rounded.float(), clip, rtol=0, atol=2e-2)


@pytest.mark.parametrize("name", NAMES)
def test_the_picture_itself_is_not_rounded_in_training(name):
    network, clip = identity(name).train(), torch.rand(1, 2, 3, 32, 64)
    with torch.autocast("cpu", torch.bfloat16):
        torch.testing.assert_close(network(clip), clip, rtol=0, atol=1e-6)


@pytest.mark.parametrize("faster", [False, True], ids=["plain", "accelerated"])
def test_sixteen_bits_of_a_video_come_through(faster):
    frames = np.random.default_rng(0).integers(0, 2**16, (3, 30, 41, 3), dtype=np.uint16)
    deblurrer = Deblurrer(identity("mmp-rnn-tiny"), precision="bf16", accelerate=faster, scene_cuts=False)
    sharp = np.stack(list(deblurrer.stream(frames)))
    assert np.abs(sharp.astype(int) - frames).max() <= 1


@torch.inference_mode()
def test_what_is_learned_is_kept_better():
    """Of clips in float32, to which even a network that adds no picture gives its images in float32."""
    torch.manual_seed(0)
    network, clip = build("estrnn-c70b7").eval(), torch.rand(1, 3, 3, 32, 32)
    want = network(clip)
    half = network.compute_in(torch.bfloat16)
    precise, rounded = ((half(x) - want).square().mean() for x in (clip, clip.bfloat16()))
    assert precise < rounded


def test_only_what_carries_the_picture_stays_in_float32():
    plain = identity("mmp-rnn-tiny")
    fast = accelerate(plain, "bf16")
    assert torch.equal(fast.skip.weight, plain.skip.weight)
    assert {name.split(".")[0] for name, p in fast.named_parameters() if p.dtype == torch.float32} == {"skip"}
    assert list(fast.state_dict()) == list(plain.state_dict())
    assert {p.dtype for p in plain.compute_in(torch.float64).parameters()} == {torch.float64}
