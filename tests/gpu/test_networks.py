"""Networks and the engine on a GPU: accelerated against plain, a stream against the CPU."""

import copy
from functools import lru_cache

import numpy as np
import pytest
import torch

import vdeblur_fast
from vdeblur_fast import Deblurrer, accelerate
from vdeblur_fast.reference.networks import VideoNetwork
from vdeblur_fast.reference.networks.frame_selection import FrameSelectionNetwork

NAMES = [name for name in vdeblur_fast.networks() if isinstance(vdeblur_fast.build(name), VideoNetwork)]
LEAST_DB = {"fp32": 90, "bf16": 40, "fp16": 50}


def decibels(got: torch.Tensor, want: torch.Tensor) -> float:
    return -10 * (got.double() - want.double()).square().mean().log10().item()


def clip(frames: int, height: int = 64, width: int = 96) -> torch.Tensor:
    torch.manual_seed(0)
    return torch.rand(1, frames, 3, height, width)


def decided(network: VideoNetwork) -> VideoNetwork:
    """The network with a frame selection that picks the same five neighbours however its probabilities are rounded."""
    for module in network.modules():
        if isinstance(module, FrameSelectionNetwork):
            torch.nn.init.constant_(module.decide.bias, -2)
            torch.nn.init.constant_(module.decide.bias[::5], 2)
    return network


@lru_cache(maxsize=1)  # the precisions of one network come one after another
def exact(name: str, device: torch.device) -> tuple[VideoNetwork, torch.Tensor, torch.Tensor]:
    """The network and a clip, on the device, and what it makes of that in float64."""
    torch.manual_seed(0)
    network = decided(vdeblur_fast.build(name)).eval().to(device)
    x = clip(network.past + network.future + 4).to(device)
    return network, x, copy.deepcopy(network).double()(x.double())


@pytest.mark.parametrize("precision", LEAST_DB)
@pytest.mark.parametrize("name", NAMES)
@torch.no_grad()
def test_accelerated_is_the_network(gpu, name, precision):
    network, x, want = exact(name, gpu)
    fast = accelerate(network, precision)
    dtype = fast.acceleration.precision
    got, same = fast(x), copy.deepcopy(network).to(dtype)(x.to(dtype))
    # random weights amplify rounding more than trained ones: PyTorch's own error in the same type is the measure too
    assert decibels(got, want) > min(LEAST_DB[precision], decibels(same, want) - 3)


@pytest.mark.parametrize("name", ["mmp-rnn-tiny", "estrnn-c70b7"])
def test_a_stream_on_the_gpu_is_the_one_on_the_cpu(gpu, name):
    torch.manual_seed(0)
    network = vdeblur_fast.build(name).eval()
    frames = [np.asarray(frame) for frame in (clip(9, 45, 70)[0].permute(0, 2, 3, 1) * 255).byte().numpy()]
    found = [
        list(Deblurrer(network, device=d, precision="fp32", scene_cuts=False).stream(frames)) for d in ("cpu", gpu)
    ]
    for on_cpu, on_gpu in zip(*found, strict=True):
        assert np.abs(on_cpu.astype(int) - on_gpu.astype(int)).max() <= 1
