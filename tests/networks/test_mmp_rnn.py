"""MMP-Net and MMP-RNN against the paper's description, written out a second time in plain functions."""

import pytest
import torch
from torch.nn.functional import conv2d, conv_transpose2d, gelu, leaky_relu

from vdeblur_fast import build
from vdeblur_fast.reference.modules import MMAM, RDB
from vdeblur_fast.reference.networks import MMPRNN, MMPNet


def conv(p, name, x, stride=1):
    weight = p[f"{name}.weight"]
    return conv2d(x, weight, p[f"{name}.bias"], stride, weight.shape[-1] // 2)


def rdb(p, name, x):
    y = x
    for i in range(3):
        y = torch.cat([y, gelu(conv(p, f"{name}.dense.{i}", y))], 1)
    return conv(p, f"{name}.fuse", y) + x


def rdn(p, name, x, blocks):
    kept = []
    for i in range(blocks):
        x = rdb(p, f"{name}.blocks.{i}", x)
        kept.append(x)
    return conv(p, f"{name}.conv", conv(p, f"{name}.fuse", torch.cat(kept, 1)))


def mmam(p, x, magnitude):
    maps = {}
    for branch in ("scale", "shift"):
        hidden = leaky_relu(conv(p, f"extract.mmam.{branch}.0", magnitude), 0.1)
        maps[branch] = conv(p, f"extract.mmam.{branch}.1", hidden)
    return x * (maps["scale"] + 1) + maps["shift"]


def by_hand(network, clip, a, b):
    """The forward pass of the paper's Fig. 3, for clips of at least five frames, the ends left out."""
    p = dict(network.state_dict())
    features, l_before, h = [], None, None
    for t in range(clip.shape[1]):
        x = clip[:, t] - 0.5
        y = mmam(p, conv(p, "extract.stem", x), network.magnitude_net(clip[:, t]))
        y = conv(p, "extract.down1", rdb(p, "extract.rdb1", y), 2)
        own = conv(p, "extract.down2", rdb(p, "extract.rdb2", y), 2)
        if t == 0:
            l_before, h = torch.zeros_like(own), own.new_zeros(own.shape[0], own.shape[1] // 2, *own.shape[2:])
        f = rdn(p, "align", torch.cat([own, l_before, h], 1), a)
        h = conv(p, "hidden.2", rdb(p, "hidden.1", conv(p, "hidden.0", f)))
        l_before = own
        features.append(f)
    images = []
    for t in range(2, clip.shape[1] - 2):
        y = rdn(p, "reconstruct.rdn", conv(p, "fuse", torch.cat(features[t - 2 : t + 3], 1)), b)
        for name in ("reconstruct.up1", "reconstruct.up2"):
            y = conv_transpose2d(y, p[f"{name}.weight"], p[f"{name}.bias"], 2, 1, 1)
        images.append(conv(p, "reconstruct.head", y) + conv(p, "skip", clip[:, t] - 0.5) + 0.5)
    return torch.stack(images, 1)


@torch.no_grad()
def test_mmp_rnn_is_what_the_paper_draws():
    torch.manual_seed(0)
    network = MMPRNN(4, 2, 2, magnitude_net=MMPNet(widths=(4, 4, 4, 4, 4))).eval()
    clip = torch.rand(2, 7, 3, 20, 24)
    torch.testing.assert_close(network(clip, ends="valid"), by_hand(network, clip, 2, 2))


@torch.no_grad()
def test_replicated_ends_repeat_the_features_of_the_last_frame():
    torch.manual_seed(0)
    network = build("mmp-rnn-tiny").eval()
    clip = torch.rand(1, 6, 3, 32, 36)
    whole, valid = network(clip), network(clip, ends="valid")
    assert whole.shape == clip.shape
    assert valid.shape[1] == 2
    torch.testing.assert_close(whole[:, 2:4], valid)
    entries, state = [], None
    for t in range(6):
        entry, state = network.encode(clip[:, t], state)
        entries.append(entry)
    last, _ = network.decode([entries[3], entries[4], entries[5], entries[5], entries[5]])
    torch.testing.assert_close(whole[:, 5], last)


@torch.no_grad()
def test_only_the_neighbours_two_ahead_are_seen_from_the_future():
    torch.manual_seed(0)
    network = build("mmp-rnn-tiny").eval()
    clip = torch.rand(1, 7, 3, 32, 32)
    changed = clip.clone()
    changed[:, 5] = 0
    before, after = network(clip), network(changed)
    assert torch.equal(before[:, :3], after[:, :3])
    assert not torch.allclose(before[:, 3], after[:, 3])
    assert not torch.allclose(before[:, 6], after[:, 6])


@torch.no_grad()
def test_the_released_variant_has_one_branch_and_channel_attention():
    network = MMPRNN(16, 3, 4, shift=False, channel_attention=True)
    assert sum(p.numel() for p in network.parameters()) == 1_994_281
    with torch.device("meta"):
        network = MMPRNN(18, 9, 10, shift=False, channel_attention=True)
    assert sum(p.numel() for p in network.parameters()) == 4_079_940


def test_the_magnitude_net_stays_as_it_was_trained():
    network = build("mmp-rnn-tiny").train()
    before = {key: value.clone() for key, value in network.magnitude_net.state_dict().items()}
    network(torch.rand(1, 5, 3, 32, 32)).sum().backward()
    assert not network.magnitude_net.training
    assert all(parameter.grad is None for parameter in network.magnitude_net.parameters())
    assert all(torch.equal(before[key], value) for key, value in network.magnitude_net.state_dict().items())


@torch.no_grad()
def test_start_from_identity_gives_back_the_clip():
    for name in ("mmp-rnn-tiny", "mmp-rnn-a3b4c16"):
        network = build(name).eval()
        network.start_from_identity()
        clip = torch.rand(1, 3, 3, 32, 32)
        torch.testing.assert_close(network(clip), clip)


@torch.no_grad()
@pytest.mark.parametrize(("height", "width"), [(16, 16), (17, 31), (45, 80), (33, 64)])
def test_mmp_net_takes_odd_sizes(height, width):
    magnitude = build("mmp-net").eval()(torch.rand(2, 3, height, width))
    assert magnitude.shape == (2, 1, height, width)
    assert magnitude.min() >= 0
    assert magnitude.max() <= 1


def test_mmp_net_rejects_small_frames():
    with pytest.raises(ValueError, match="at least 16 pixels high and wide, got 15x40"):
        build("mmp-net")(torch.rand(1, 3, 15, 40))


def test_wrong_clips_are_named():
    network = build("mmp-rnn-a3b4c16")
    with pytest.raises(ValueError, match=r"clip must be \(B, T, 3, H, W\), got \(2, 3, 16, 16\)"):
        network(torch.rand(2, 3, 16, 16))
    with pytest.raises(ValueError, match="multiples of 4 and at least 16, got 18x32"):
        network(torch.rand(1, 5, 3, 18, 32))
    with pytest.raises(ValueError, match="at least 5 frames, got 4"):
        network(torch.rand(1, 4, 3, 16, 16), ends="valid")


def test_stem_and_magnitude_must_agree():
    with pytest.raises(ValueError, match="give both the same"):
        MMPRNN(8, 1, 1, stem_stride=2)
    with pytest.raises(ValueError, match="stem_stride must be 1 or 2, got 3"):
        MMPRNN(8, 1, 1, stem_stride=3)


def test_gradients_reach_every_trained_weight():
    network = build("mmp-rnn-tiny")
    network(torch.rand(1, 3, 3, 32, 32)).square().mean().backward()
    idle = [name for name, p in network.named_parameters() if p.requires_grad and p.grad is None]
    assert idle == []


@pytest.mark.parametrize("module", [RDB(3, 2), RDB(2, 3, activation="relu")])
def test_rdb_gradcheck(module):
    x = torch.rand(1, module.fuse.out_channels, 4, 5, dtype=torch.double, requires_grad=True)
    assert torch.autograd.gradcheck(module.double(), (x,))


def test_mmam_gradcheck():
    module = MMAM(4).double()
    x = torch.rand(1, 4, 3, 5, dtype=torch.double, requires_grad=True)
    magnitude = torch.rand(1, 1, 3, 5, dtype=torch.double, requires_grad=True)
    assert torch.autograd.gradcheck(module, (x, magnitude))


def test_rdb_names_a_wrong_activation():
    with pytest.raises(ValueError, match="one of gelu, relu, got 'tanh'"):
        RDB(4, 2, activation="tanh")
