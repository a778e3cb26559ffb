"""accelerate: the same network, faster, and nothing of the one it was given changed."""

import copy

import pytest
import torch
from torch import nn

import vdeblur_fast
from vdeblur_fast import accelerate
from vdeblur_fast.acceleration.phases import PhasedConv2d
from vdeblur_fast.device import cpu_is_fast_at
from vdeblur_fast.errors import DeviceError
from vdeblur_fast.modules import FUSED
from vdeblur_fast.ops import triton
from vdeblur_fast.ops.convolution import saves_time
from vdeblur_fast.reference import modules as reference
from vdeblur_fast.reference.networks import DAVID, ESTRNN, VideoNetwork
from vdeblur_fast.reference.networks.strcnn import ResidualBlock
from vdeblur_fast.reference.networks.unet import UNet

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


def test_every_kind_of_block_has_its_fused_body():
    blocks = nn.ModuleDict({kind.__name__: _made(kind) for kind in FUSED})
    fast = accelerate(blocks, "fp32")
    assert fast.acceleration.replaced == dict.fromkeys(blocks, 1)
    assert all(type(fast[kind.__name__]) is fused for kind, fused in FUSED.items())


def _made(kind: type) -> nn.Module:
    arguments = {reference.RDB: (8, 8), reference.AttentionMix: (), reference.UpsampleConcat: ()}
    return kind(*arguments.get(kind, (8,)))


@pytest.mark.parametrize("shuffle", [1, 2])
@pytest.mark.parametrize("sizes", [(16, 28), (17, 30), (12, 9)], ids=str)
@pytest.mark.parametrize(
    ("channels", "kernel", "padding", "bias"),
    [(3, 9, 4, True), (3, (5, 7), (2, 3), False), (1, 5, 0, True), (1, 3, 1, True)],
    ids=str,
)
@torch.inference_mode()
def test_a_convolution_to_few_channels_gives_the_same_in_phases(channels, kernel, padding, bias, sizes, shuffle):
    torch.manual_seed(0)
    conv = nn.Conv2d(6, channels * shuffle**2, kernel, padding=padding, bias=bias)
    plain = nn.Sequential(conv, nn.PixelShuffle(shuffle)) if shuffle > 1 else conv
    fast = accelerate(plain, "fp32")
    assert fast.acceleration.phased == 1
    x = torch.randn(2, 6, *sizes)
    torch.testing.assert_close(fast(x), plain(x), rtol=1e-5, atol=1e-5)


@pytest.mark.parametrize(
    "conv",
    [
        nn.Conv2d(6, 5, 3, padding=1),
        nn.Conv2d(6, 8, 5, padding=2),
        nn.Conv2d(6, 3, 5, stride=2),
        nn.Conv2d(6, 3, 5, padding=2, padding_mode="reflect"),
        nn.Conv2d(6, 3, 5, padding="same"),
        nn.Conv2d(6, 3, 5, dilation=2),
        nn.Conv2d(6, 6, 5, groups=2),
    ],
    ids=str,
)
def test_other_convolutions_are_left_alone(conv):
    fast = accelerate(conv, "fp32")
    assert type(fast) is nn.Conv2d
    assert not fast.acceleration.phased


@pytest.mark.parametrize("precision", ["fp32", "bf16"])
@pytest.mark.parametrize("norm", [False, True])
@pytest.mark.parametrize(
    ("conv", "sizes"),
    [
        (nn.Conv2d(6, 8, 3, padding=1), (9, 14)),
        (nn.Conv2d(6, 9, (3, 5), (2, 1), (1, 2), bias=False), (9, 14)),
        (nn.Conv2d(6, 8, 3, padding=2, dilation=2, groups=2), (9, 14)),
        (reference.StridedConv2d(6, 8, 3, 2, 1), (9, 14)),
        (reference.StridedConv2d(6, 8, 3, 2, 1), (16, 1)),
        (nn.ConvTranspose2d(6, 8, 3, 2, 1, output_padding=1), (9, 14)),
    ],
    ids=str,
)
@torch.inference_mode()
def test_a_convolution_does_the_relu_after_it(conv, sizes, norm, precision):
    if not cpu_is_fast_at(precision):
        pytest.skip(f"this CPU has no {precision} products")
    torch.manual_seed(0)
    conv = copy.deepcopy(conv)
    last = nn.BatchNorm2d(conv.out_channels) if norm and type(conv) is nn.Conv2d else nn.Identity()
    layers = [conv, last, nn.ReLU(), nn.Conv2d(conv.out_channels, 3, 1)]
    plain = nn.Sequential(*(layer for layer in layers if type(layer) is not nn.Identity)).eval()
    if norm:
        plain = nn.Sequential(plain)  # nested chains are found too
    fast = accelerate(plain, precision)
    assert fast.acceleration.rectified == 1
    x = torch.randn(2, 6, *sizes).to(fast.acceleration.precision)
    want, usual = copy.deepcopy(plain).double()(x.double()), copy.deepcopy(plain).to(x.dtype)(x)
    error, theirs = ((y - want).square().mean().sqrt() for y in (fast(x), usual))
    assert error <= 1.5 * theirs + 1e-7
    other = copy.deepcopy(plain)
    for parameter in other.parameters():
        nn.init.normal_(parameter)
    fast.load_state_dict(other.state_dict())
    torch.testing.assert_close(fast(x).double(), other.double()(x.double()), rtol=0.05, atol=0.2)


@pytest.mark.parametrize("precision", ["fp32", "bf16"])
@pytest.mark.parametrize("channels_last", [False, True])
@pytest.mark.parametrize("blocks", [1, 4])
@torch.inference_mode()
def test_a_chain_fuses_what_it_keeps_where_it_lies(blocks, channels_last, precision):
    torch.manual_seed(0)
    chain = reference.ResidualDenseNetwork(72, 8, blocks).eval()
    fast = accelerate(chain, precision)
    dtype = fast.acceleration.precision
    x = torch.randn(2, 72, 9, 14).to(dtype)
    x = x.contiguous(memory_format=torch.channels_last) if channels_last else x
    want = copy.deepcopy(chain).double()(x.double())
    error, theirs = ((y - want).abs().max() for y in (fast(x), copy.deepcopy(chain).to(dtype)(x)))
    assert error <= 3 * theirs + 1e-6
    again = accelerate(chain, precision)
    other = reference.ResidualDenseNetwork(72, 8, blocks).eval()
    again.load_state_dict(other.state_dict())
    close = 1e-4 if precision == "fp32" else 0.05
    torch.testing.assert_close(again(x), other.to(dtype)(x), rtol=close, atol=close)
    assert (fast.acceleration.joined == 1) == saves_time(dtype) == ("without concatenation" in str(fast.acceleration))


@pytest.mark.parametrize("precision", ["fp32", "bf16"])
@pytest.mark.parametrize(("past", "future"), [(2, 2), (0, 1), (3, 1)])
@torch.inference_mode()
def test_an_attention_is_done_by_the_convolution_after_it(past, future, precision):
    torch.manual_seed(0)
    plain = ESTRNN(4, 1).eval()
    plain.past, plain.future = past, future
    plain.attention = reference.GlobalSpatioTemporalAttention(20, past, future)
    plain.reconstruct[0] = nn.ConvTranspose2d((past + 1 + future) * 20, 8, 3, 2, 1, output_padding=1)
    for parameter in plain.parameters():  # of a size at which the gates, and the biases at the border, count
        nn.init.normal_(parameter, std=1 if parameter.ndim == 1 else parameter[0].numel() ** -0.5)
    fast = accelerate(plain, precision)
    assert fast.acceleration.attended == 1
    assert "in the convolution after it" in str(fast.acceleration)
    dtype = fast.acceleration.precision
    window = torch.randn(past + 1 + future, 2, 20, 9, 12).add(torch.arange(-1, 1)[:, None, None, None]).to(dtype)
    want, _ = copy.deepcopy(plain).double().decode(window.double())
    theirs, _ = copy.deepcopy(plain).to(dtype).decode(window)
    got, state = fast.decode(window)
    assert state is None
    assert (got - want).abs().max() <= 2 * (theirs - want).abs().max() + 1e-6
    assert not torch.allclose(got[0], got[1], atol=0.1)


def test_a_residual_block_does_its_sum_with_the_last_convolution():
    block = ResidualBlock(16).eval()
    for norm in (block.body[1], block.body[4]):
        nn.init.uniform_(norm.running_var, 0.5, 2)
    fast = accelerate(block, "fp32")
    assert fast.acceleration.rectified == 2
    assert "before ReLU" in str(fast.acceleration)
    x = torch.randn(2, 16, 7, 9)
    kept = x.clone()
    with torch.inference_mode():
        torch.testing.assert_close(fast(x), block(x), rtol=1e-5, atol=1e-5)
    assert torch.equal(x, kept)


@pytest.mark.parametrize("lockstep", [False, True])
@torch.inference_mode()
def test_the_convolutions_of_a_u_net_do_its_relus(lockstep):
    torch.manual_seed(0)
    plain = DAVID(8, scales=(1, 3), levels=2).eval()
    for parameter in plain.parameters():
        nn.init.normal_(parameter, 0, 0.07)
    fast = accelerate(plain, "fp32")
    assert fast.acceleration.rectified == 4 * 19 + 3 * 11
    assert fast.state_dict().keys() == plain.state_dict().keys()
    fast.lockstep = plain.lockstep = lockstep
    window = [torch.rand(2, 3, 32, 48) for _ in range(3)]
    torch.testing.assert_close(fast.decode(window)[0], plain.decode(window)[0], rtol=1e-5, atol=1e-5)


@pytest.mark.parametrize("bias", [False, True])
@pytest.mark.parametrize(
    ("layers", "filtered"),
    [
        ([nn.Conv2d(16, 9, 3, padding=1)], 1),
        ([nn.Conv2d(24, 40, 5, padding=2), nn.ReLU()], 1),
        ([nn.Conv2d(8, 32, 5, padding=2), nn.ReLU()], 1),
        ([nn.Conv2d(16, 12, 5, padding=2), nn.PixelShuffle(2)], 1),
        ([nn.Conv2d(16, 20, 3, padding=1), nn.BatchNorm2d(20), nn.ReLU(), nn.Conv2d(20, 16, 3, padding=1)], 2),
        ([ResidualBlock(16), ResidualBlock(16)], 4),
        ([nn.ConvTranspose2d(16, 8, 4, 2, 1), nn.ReLU()], 1),
        ([nn.ConvTranspose2d(16, 8, 5, 2, 2, output_padding=1)], 1),
        ([nn.ConvTranspose2d(16, 8, 6, 2, 2)], 1),
        ([nn.ConvTranspose2d(16, 8, 3, 2, 1, output_padding=1)], 0),
        ([nn.Conv2d(11, 40, 3, padding=1)], 0),
        ([nn.Conv2d(16, 8, 3)], 0),
        ([nn.Conv2d(16, 8, 3, 2, 1)], 0),
        ([nn.Conv2d(16, 8, 3, padding=2, dilation=2)], 0),
        ([nn.Conv2d(16, 16, 3, padding=1, groups=2)], 0),
        ([nn.Conv2d(16, 8, 3, padding=1, padding_mode="reflect")], 0),
        ([nn.Conv2d(16, 8, (3, 5), padding=(1, 2))], 0),
        ([nn.Conv2d(16, 8, 7, padding=3)], 0),
        ([nn.Conv2d(160, 160, 3, padding=1)], 0),
        ([nn.ConvTranspose2d(16, 8, 3, 2, 1)], 0),
        ([nn.ConvTranspose2d(16, 8, 4, 2, 1, groups=2)], 0),
        ([nn.ConvTranspose2d(16, 8, 3, 1, 1)], 0),
    ],
    ids=str,
)
@torch.inference_mode()
def test_convolutions_by_winograds_method_give_the_same(layers, filtered, bias):
    torch.manual_seed(0)
    plain = nn.Sequential(*copy.deepcopy(layers)).eval()
    for module in plain.modules():
        if isinstance(module, (nn.Conv2d, nn.ConvTranspose2d)) and not bias:
            module.bias = None
        elif isinstance(module, nn.BatchNorm2d):
            nn.init.uniform_(module.running_var, 0.5, 2)
            nn.init.uniform_(module.weight, 0.5, 2)
    fast = accelerate(plain, "fp32")
    assert fast.acceleration.filtered == filtered
    assert ("by Winograd's method" in str(fast.acceleration)) == (filtered > 0)
    assert fast.state_dict().keys() == plain.state_dict().keys()
    channels = next(module for module in plain.modules() if hasattr(module, "in_channels")).in_channels
    for sizes in ((9, 14), (1, 1), (16, 33)):
        x = torch.randn(2, channels, *sizes)
        if filtered:  # else it is PyTorch's own, in another layout
            kept, want = x.clone(), copy.deepcopy(plain).double()(x.double())
            assert (fast(x) - want).abs().max() <= 1e-5 * want.abs().max()  # as the operator is held to
            assert torch.equal(x, kept)
    other = copy.deepcopy(plain)
    for parameter in other.parameters():
        nn.init.normal_(parameter, 0, 0.1)
    fast.load_state_dict(other.state_dict())
    x = torch.randn(2, channels, 9, 14)
    torch.testing.assert_close(fast(x), other(x), rtol=1e-4, atol=1e-4)
    assert not accelerate(plain, "bf16").acceleration.filtered


@pytest.mark.parametrize("backend", ["reference", "triton"])
def test_winograds_method_is_for_the_cpu_backend_alone(monkeypatch, backend):
    monkeypatch.setattr(triton, "why_not", lambda like: "")  # as with the interpreter on
    monkeypatch.setenv("VDEBLUR_BACKEND", backend)
    fast = accelerate(nn.Sequential(nn.Conv2d(16, 16, 3, padding=1)), "fp32")
    assert type(fast[0]) is nn.Conv2d


@torch.inference_mode()
def test_a_u_net_concatenates_nothing_for_winograds_method(monkeypatch):
    torch.manual_seed(0)
    plain = UNet(16, 3, 16, 2).eval()
    fast = accelerate(plain, "fp32")
    assert (fast.acceleration.filtered, fast.acceleration.phased) == (11, 1)
    x = torch.randn(1, 16, 24, 36)
    want = plain(x)
    monkeypatch.setattr(torch, "cat", None)
    torch.testing.assert_close(fast(x), want, rtol=1e-4, atol=1e-5)


@pytest.mark.skipif(not saves_time(torch.bfloat16), reason="in bfloat16 for CPUs without tiles for it")
def test_in_bfloat16_winograds_method_is_for_what_stays_in_the_cache():
    few, many = (nn.ModuleList(UNet(3, 3, 64, 1) for _ in range(nets)) for nets in (8, 9))
    assert accelerate(few, "bf16").acceleration.filtered == 8 * 5
    assert accelerate(many, "bf16").acceleration.filtered == 0
    assert accelerate(many, "fp32").acceleration.filtered == 9 * 5


def test_weights_lie_as_native_bodies_read_them():
    fast = accelerate(network("mmp-rnn-tiny"), "fp32")
    assert all(conv.weight.is_contiguous() for conv in fast.align.blocks[0].dense)
    assert fast.align.conv.weight.is_contiguous()
    assert fast.align.fuse.weight.is_contiguous(memory_format=torch.channels_last)
    assert isinstance(fast.skip, PhasedConv2d)


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


@pytest.mark.parametrize("given", [torch.float32, torch.float64, torch.uint8])
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
