"""DAVID against its paper, written out a second time in plain functions."""

import pytest
import torch
from torch.nn.functional import interpolate, max_pool2d, relu

from vdeblur_fast import build
from vdeblur_fast.reference.networks import DAVID

from .test_mmp_rnn import conv


def unet(p, name, x, poolings):
    skips, i = [], 0

    def two(x):
        nonlocal i
        for _ in range(2):
            x, i = relu(conv(p, f"{name}.convs.{i}", x)), i + 1
        return x

    x = two(x)
    for _ in range(poolings):
        skips.append(x)
        x = two(max_pool2d(x, 2))
    for skip in reversed(skips):
        x = two(torch.cat([interpolate(x, scale_factor=2, mode="bilinear"), skip], 1))
    return conv(p, f"{name}.convs.{i + 1}", relu(conv(p, f"{name}.convs.{i}", x)))


def by_hand(network, clip, n):
    """Equations 1 and 2 for frame n."""
    p = network.state_dict()
    modules = []
    for j in range(3):
        estimates = []
        for k in range(4):
            frames = (clip[:, n - k : n + k + 1] - 0.5).flatten(1, 2)
            estimates.append(unet(p, f"levels.{j}.branches.{k}", frames, 4) + clip[:, n])
        maps = unet(p, f"levels.{j}.attention", (clip[:, n - 3 : n + 4] - 0.5).flatten(1, 2), 2).softmax(1)
        modules.append(sum(maps[:, k, None] * estimates[k] for k in range(4)))
    maps = unet(p, "attention", (clip[:, n - 3 : n + 4] - 0.5).flatten(1, 2), 2).softmax(1)
    return sum(maps[:, j, None] * modules[j] for j in range(3))


def make(width=2, **options):
    torch.manual_seed(0)
    network = DAVID(width, **options).eval()
    for parameter in network.parameters():  # PyTorch's own weights would fade over twenty layers
        if parameter.dim() > 1:
            torch.nn.init.kaiming_normal_(parameter)
    return network


PARTS = [
    {},
    {"levels": 1},
    {"scales": (7,)},
    {"scales": (3,), "levels": 1},
    {"scales": (1,), "levels": 1},
    {"normalize": "none"},
]


@torch.no_grad()
def test_david_is_what_the_paper_draws():
    network, clip = make(), torch.rand(2, 7, 3, 16, 32)
    torch.testing.assert_close(network(clip, ends="valid")[:, 0], by_hand(network, clip, 3), rtol=1e-4, atol=1e-4)


@torch.no_grad()
@pytest.mark.parametrize("options", PARTS, ids=str)
def test_all_nets_in_lockstep_give_the_same(options):
    network, clip = make(**options), torch.rand(2, 3, 3, 32, 16)
    network.lockstep = False
    expected = network(clip)
    network.lockstep = True
    torch.testing.assert_close(network(clip), expected, rtol=1e-4, atol=1e-4)


def test_gradients_pass_through_both_ways():
    network, clip = make(), torch.rand(1, 1, 3, 16, 16)
    found = []
    for network.lockstep in (False, True):
        network.zero_grad()
        network(clip).square().sum().backward()
        found.append({name: p.grad.clone() for name, p in network.named_parameters()})
    for name, gradient in found[0].items():
        torch.testing.assert_close(found[1][name], gradient, rtol=1e-3, atol=1e-3 * gradient.abs().max().item())


@torch.no_grad()
def test_the_weights_sum_to_one():
    network = make()
    window = list(torch.rand(7, 2, 3, 16, 16).unbind())
    internal, external = network.attention_logits(window)
    assert internal.shape == (2, 3, 4, 16, 16)
    assert external.shape == (2, 3, 16, 16)
    estimates = torch.ones_like(network.estimates(window))
    torch.testing.assert_close(network.mix(estimates, internal, external), torch.ones(2, 3, 16, 16))


@torch.no_grad()
def test_an_estimate_that_all_agree_on_is_given_back():
    for options in PARTS[:5]:
        network = make(**options)
        network.start_from_identity()
        clip = torch.rand(1, 2, 3, 16, 16)
        torch.testing.assert_close(network(clip), clip)


@torch.no_grad()
def test_the_signal_keeps_its_size_at_the_start():
    """Or the last convolution, which starts from zero, learns next to nothing."""
    network = make(width=16, scales=(7,), levels=1)
    network.start_from_identity()
    sizes = []
    for layer in network.levels[0].branches[0].convs[:-1]:
        layer.register_forward_hook(lambda _, given, found: sizes.append(found.std().item()))
    network(torch.rand(1, 7, 3, 64, 64), "valid")
    assert len(sizes) == 19
    assert 0.1 < min(sizes) < max(sizes) < 10


@torch.no_grad()
def test_the_last_convolution_hears_the_middle_frame_at_the_start():
    for width, scale in ((8, 1), (8, 7), (4, 5)):
        network, clip = make(width=width, scales=(scale,), levels=1), torch.rand(1, scale, 3, 32, 32)
        network.start_from_identity()
        heard = []
        network.levels[0].branches[0].convs[-1].register_forward_pre_hook(
            lambda _, given, heard=heard: heard.append(*given)
        )
        network(clip, "valid")
        middle = clip[:, scale // 2] - 0.5
        both = torch.cat([middle, -middle], 1).relu() * 2
        torch.testing.assert_close(heard[0][:, :6], both[:, :width])


@torch.no_grad()
def test_branches_look_as_far_as_they_should():
    for scale in (1, 3, 5, 7):
        network, clip = make(scales=(scale,), levels=1), torch.rand(1, 9, 3, 16, 16)
        for offset in range(-4, 5):
            changed = clip.clone()
            changed[:, 4 + offset] = 0
            same = torch.equal(network(clip)[:, 4], network(changed)[:, 4])
            assert same == (abs(offset) > scale // 2)


@torch.no_grad()
def test_parts_move_into_the_whole():
    """The phases of training: a backbone into a module, modules into the whole."""
    single, internal, whole = make(scales=(5,), levels=1), make(levels=1), make()
    internal.levels[0].branches[2].load_state_dict(single.levels[0].branches[0].state_dict())
    for level in whole.levels:
        level.load_state_dict(internal.levels[0].state_dict())
    clip = torch.rand(1, 3, 3, 16, 16)
    torch.testing.assert_close(whole(clip), internal(clip))  # three times the same, however it is mixed


def test_sizes_are_those_of_the_table():
    millions = {"david-small": 15.2, "david": 60.9, "david-single1": 4.91, "david-small-single3": 1.23}
    with torch.device("meta"):
        for name, expected in millions.items():
            assert sum(p.numel() for p in build(name).parameters()) / 1e6 == pytest.approx(expected, rel=5e-3)
        whole = build("david")
    assert len(whole.levels[0].branches[0].convs) == 20
    assert len(whole.attention.convs) == 12


def test_wrong_options_are_named():
    with pytest.raises(ValueError, match=r"odd numbers of frames, got \(2,\)"):
        DAVID(scales=(2,))
    with pytest.raises(ValueError, match="levels must be at least 1, got 0"):
        DAVID(levels=0)
