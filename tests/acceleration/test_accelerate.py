"""accelerate: the same network, faster, and nothing of the one it was given changed."""

import copy
import pickle

import pytest
import torch
from torch import nn

import vdeblur_fast
from vdeblur_fast import accelerate, device
from vdeblur_fast.acceleration.phases import PhasedConv2d
from vdeblur_fast.errors import DeviceError
from vdeblur_fast.modules import FUSED
from vdeblur_fast.reference import modules as reference
from vdeblur_fast.reference.networks import VideoNetwork

NAMES = ("mmp-rnn-tiny", "mmp-net-tiny", "estrnn-c70b7", "strcnn-dtb", "gsta-net3")


def network(name: str) -> nn.Module:
    """With batch norms that have seen something, as after training."""
    torch.manual_seed(0)
    found = vdeblur_fast.build(name).eval()
    for module in found.modules():
        if isinstance(module, nn.BatchNorm2d):
            nn.init.uniform_(module.running_mean, -0.2, 0.2)
            nn.init.uniform_(module.running_var, 0.5, 2)
            nn.init.uniform_(module.weight, 0.5, 2)
            nn.init.uniform_(module.bias, -0.5, 0.5)
    return found


def picture(found: nn.Module, frames: int = 3) -> torch.Tensor:
    torch.manual_seed(1)
    return torch.rand(1, frames, 3, 32, 48) if isinstance(found, VideoNetwork) else torch.rand(1, 3, 32, 48)


@pytest.mark.parametrize("name", NAMES)
def test_it_gives_the_same(name):
    plain = network(name)
    fast = accelerate(plain, "fp32")
    x = picture(plain)
    with torch.inference_mode():
        want, got = plain(x), fast(x)
    error = (got - want).square().mean() / want.square().mean()
    assert error < 1e-9  # 90 dB
    assert not torch.equal(got, x)


@pytest.mark.parametrize("name", NAMES)
def test_the_network_given_is_left_as_it_was_and_the_state_dict_stays(name):
    plain = network(name).train()
    before, kinds = copy.deepcopy(plain.state_dict()), [type(module) for module in plain.modules()]
    fast = accelerate(plain, "fp32")
    assert [type(module) for module in plain.modules()] == kinds
    assert plain.training
    assert any(parameter.requires_grad for parameter in plain.parameters())
    assert not any(parameter.requires_grad for parameter in fast.parameters())
    for other in (plain.state_dict(), fast.state_dict()):
        assert list(other) == list(before)
        assert all(torch.equal(value, before[key]) for key, value in other.items())


@pytest.mark.parametrize("name", NAMES)
def test_weights_loaded_later_count(name):
    plain = network(name)
    torch.manual_seed(7)
    fast = accelerate(vdeblur_fast.build(name), "fp32")
    fast.load_state_dict(plain.state_dict())
    x = picture(plain)
    with torch.inference_mode():
        torch.testing.assert_close(fast(x), plain(x), rtol=1e-4, atol=1e-5)


@pytest.mark.parametrize("name", NAMES)
@pytest.mark.parametrize("how", ["deepcopy", "pickle"])
def test_a_copy_stands_by_itself(name, how):
    """What a copy makes of weights that are loaded into it is its own."""
    fast = accelerate(network(name), "fp32")
    copied = copy.deepcopy(fast) if how == "deepcopy" else pickle.loads(pickle.dumps(fast))
    clip = picture(fast)
    before = fast(clip)
    torch.testing.assert_close(copied(clip), before)
    other = network(name)
    for module in other.modules():
        if isinstance(module, nn.BatchNorm2d):
            nn.init.constant_(module.running_mean, 0.1)
    for weight in other.parameters():
        weight.data.mul_(0.9)
    copied.load_state_dict(other.state_dict())
    with torch.no_grad():
        torch.testing.assert_close(copied(clip), other(clip), atol=1e-5, rtol=1e-4)
    torch.testing.assert_close(fast(clip), before)


@pytest.mark.parametrize("name", [*NAMES, "david-small-single7"])
def test_gradients_reach_the_frames(name):
    plain = network(name).requires_grad_(False)
    found = []
    for each in (plain, accelerate(plain, "fp32")):
        clip = picture(plain).requires_grad_()
        each(clip).square().sum().backward()
        found.append(clip.grad)
    torch.testing.assert_close(found[1], found[0], atol=1e-3 * float(found[0].abs().max()), rtol=1e-3)


@pytest.mark.parametrize("name", ["mmp-rnn-tiny", "estrnn-c70b7", "strcnn-dtb"])
def test_no_clips_are_no_images(name):
    plain = network(name)
    assert accelerate(plain, "fp32")(picture(plain)[:0]).shape == (0, 3, 3, 32, 48)


@pytest.mark.parametrize("fused", [False, True], ids=["reference", "fused"])
def test_every_kind_of_block_has_its_fused_body(fused):
    """Whoever uses the fused one already finds it counted as well, and what is within it left alone."""
    blocks = nn.ModuleDict({kind.__name__: _made(kind, body if fused else kind) for kind, body in FUSED.items()})
    fast = accelerate(blocks, "fp32")
    assert fast.acceleration.replaced == dict.fromkeys(blocks, 1)
    assert all(type(fast[kind.__name__]) is body for kind, body in FUSED.items())
    assert not fast.acceleration.filtered
    assert not fast.acceleration.phased
    assert not list(fast.buffers())


def _made(kind: type, body: type) -> nn.Module:
    arguments = {reference.RDB: (32, 16), reference.MMAM: (8,), reference.DTB: (16,), reference.GSTA: (8,)}
    return body(*arguments.get(kind, ()))


def test_weights_lie_as_native_bodies_read_them():
    fast = accelerate(network("mmp-rnn-tiny"), "fp32")
    assert all(conv.weight.is_contiguous() for conv in fast.align.blocks[0].dense)
    assert fast.align.conv.weight.is_contiguous()
    assert fast.align.fuse.weight.is_contiguous(memory_format=torch.channels_last)
    assert isinstance(fast.skip, PhasedConv2d)


def test_what_stays_in_float32_computes_in_phases_beside_bfloat16():
    skip = accelerate(network("mmp-rnn-tiny"), "bf16").skip
    assert isinstance(skip, PhasedConv2d)
    assert skip.phased_weight.dtype == torch.float32


def test_what_was_done_is_said():
    said = str(accelerate(network("mmp-rnn-tiny"), "fp32").acceleration)
    assert "cpu" in said
    assert "float32" in said
    assert "MMAM" in said
    assert "BatchNorm2d" in said


def test_a_backend_of_choice_is_respected(monkeypatch):
    monkeypatch.setenv("VDEBLUR_BACKEND", "reference")
    fast = accelerate(network("mmp-rnn-tiny"), "fp32")
    assert not fast.acceleration.replaced
    assert "reference" in fast.acceleration.left["MMAM"]


@pytest.mark.parametrize(
    ("arguments", "error", "message"),
    [
        (("mmp-rnn-tiny",), TypeError, "network must be a torch.nn.Module, got str"),
        ((nn.Identity(), "fp8"), DeviceError, "fp8"),
        ((nn.Identity(), "auto", "NHWC"), ValueError, "NHWC"),
    ],
)
def test_wrong_arguments_are_named(arguments, error, message):
    with pytest.raises(error, match=message):
        accelerate(*arguments)


@pytest.mark.parametrize(("name", "dtype"), [("mmp-rnn-tiny", "bfloat16"), ("cnn", "float32")])
def test_auto_spares_a_picture_that_passes_through_features(name, dtype, monkeypatch):
    monkeypatch.setattr(device, "cpu_is_fast_at", lambda precision: True)
    assert accelerate(vdeblur_fast.build(name)).acceleration.precision is getattr(torch, dtype)


@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
@torch.no_grad()
def test_auto_leaves_what_is_no_video_network_the_dtype_that_it_has(dtype, monkeypatch):
    monkeypatch.setattr(device, "cpu_is_fast_at", lambda precision: True)
    plain = network("mmp-net-tiny").to(dtype)
    fast, x = accelerate(plain), picture(plain).to(dtype)
    assert fast.acceleration.precision is dtype
    torch.testing.assert_close(fast(x), plain(x), rtol=1e-4, atol=1e-5)


@pytest.mark.parametrize("given", [torch.float16, torch.float64, torch.uint8])
def test_a_clip_of_another_dtype_is_named(given):
    fast, clip = accelerate(network("strcnn-dtb"), "bf16"), torch.zeros(1, 3, 3, 32, 32, dtype=given)
    with pytest.raises(TypeError, match=rf"the clip is {given} on cpu, the network torch.bfloat16 on cpu; convert"):
        fast(clip)
    assert fast(clip.to("cpu", torch.bfloat16)).dtype == torch.bfloat16
    with pytest.raises(TypeError, match=r"the clip is torch.float32 on meta, the network torch.float32 on cpu"):
        network("strcnn-dtb")(torch.zeros(1, 3, 3, 32, 32, device="meta"))


def test_the_function_stays_a_function():
    """A module of the same name would take its place once imported."""
    from vdeblur_fast import Deblurrer

    assert callable(vdeblur_fast.accelerate)
    deblurrer = Deblurrer(network("mmp-rnn-tiny"))
    assert deblurrer.network.acceleration.replaced
    assert not hasattr(Deblurrer(network("mmp-rnn-tiny"), accelerate=False).network, "acceleration")
    assert callable(vdeblur_fast.accelerate)
