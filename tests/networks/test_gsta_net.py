"""GSTA-Net: what its page says, the summaries, any set of neighbours, and the choice among them."""

import pytest
import torch
from torch.nn.functional import conv_transpose2d, relu

from vdeblur_fast import build
from vdeblur_fast.reference.modules import FrameSummary
from vdeblur_fast.reference.networks import GSTANet
from vdeblur_fast.reference.networks.gsta_net import Choice

from .test_mmp_rnn import conv
from .test_strcnn import norm

SMALL = {"widths": (4, 6, 8), "growths": (2, 3, 4)}
VARIANTS = [
    {},
    {"fusion": "ungated"},
    {"fusion": "none"},
    {"selection": True},
    {"fusion": "non-local", "selection": True},
]


def make(**options):
    """A small network whose batch norms have seen something, and whose policy picks some and not others."""
    torch.manual_seed(0)
    network = GSTANet(**SMALL, **options)
    with torch.no_grad():
        network(torch.rand(2, 3, 3, 16, 16))
        if network.selector is not None:
            network.selector.decide.bias.copy_(torch.linspace(-1, 1, 25)[torch.randperm(25)])
    return network.eval()


def dense(p, name, x):
    y = x
    for i in range(4):
        y = torch.cat([y, relu(conv(p, f"{name}.dense.{i}", y))], 1)
    return conv(p, f"{name}.fuse", y) + x


def prepared(p, name, x):
    return relu(norm(p, f"{name}.prepare.1", conv(p, f"{name}.prepare.0", x)))


def heard(network, name, x, others):
    """The residual block around the attention, over the current frame and all others at once."""
    p = network.state_dict()
    frames = torch.stack([prepared(p, name, y) for y in (x, *others)], 1)
    y = network.get_submodule(f"{name}.attention")(frames, center=0)
    return relu(x + norm(p, f"{name}.leave.1", conv(p, f"{name}.leave.0", y)))


def by_hand(network, centre, neighbours):
    """The layer table, every frame computed from scratch."""
    p = network.state_dict()

    def encoder(frame):
        skip = dense(p, "encoder1", relu(conv(p, "stem.0", frame - 0.5)))
        features = dense(p, "encoder2", conv(p, "down1", skip, 2))
        return skip, features, third(features)

    def third(features):
        return dense(p, "encoder3.1", dense(p, "encoder3.0", conv(p, "down2", features, 2)))

    def up(name, x):
        return conv_transpose2d(x, p[f"{name}.weight"], p[f"{name}.bias"], 2, 1)

    others = [encoder(frame) for frame in neighbours]
    skip, features, _ = encoder(centre)
    x2 = heard(network, "fuse2", features, [f for _, f, _ in others])
    x3 = heard(network, "fuse3", third(x2), [d for _, _, d in others])
    x = dense(p, "decoder3.1", dense(p, "decoder3.0", x3))
    x = heard(network, "fuse_skip", up("up2", x), [f for _, f, _ in others])
    x = dense(p, "decoder2", conv(p, "merge2", torch.cat([x, x2], 1)))
    x = dense(p, "decoder1", conv(p, "merge1", torch.cat([up("up1", x), skip], 1)))
    return conv(p, "head", x) + centre


@torch.no_grad()
@pytest.mark.parametrize("fusion", ["gated", "ungated"])
def test_summaries_give_what_all_frames_at_once_give(fusion):
    network, clip = make(fusion=fusion), torch.rand(2, 5, 3, 16, 20)
    expected = by_hand(network, clip[:, 2], [clip[:, t] for t in (0, 1, 3, 4)])
    torch.testing.assert_close(network(clip, ends="valid")[:, 0], expected)


@torch.no_grad()
def test_any_set_of_neighbours_in_any_order():
    network, clip = make(), torch.rand(1, 9, 3, 16, 16)
    entries = network.encode_clip(clip)
    for chosen in ([], [8], [1, 7, 2], [0, 1, 2, 3, 5, 6, 7, 8]):
        image = network.restore(entries[4], [entries[t] for t in chosen])
        torch.testing.assert_close(image, by_hand(network, clip[:, 4], [clip[:, t] for t in chosen]))
        torch.testing.assert_close(network.restore(entries[4], [entries[t] for t in reversed(chosen)]), image)


@torch.no_grad()
def test_only_summaries_are_kept_of_a_frame():
    network = make(selection=True)
    entry = network.retire(network.encode(torch.rand(1, 3, 64, 64))[0])
    assert all(isinstance(summary, FrameSummary) for summary in entry.summaries)
    summary_numbers = sum(s.aggregate.numel() + s.mean.numel() for s in entry.summaries)
    assert summary_numbers == (6 + 8 + 6) * (8 + 1)
    assert [name for name, value in entry._asdict().items() if value is not None] == ["index", "summaries", "thumbnail"]
    assert entry.thumbnail.shape == (1, 3, 16, 16)


@torch.no_grad()
def test_an_image_costs_as_much_with_many_neighbours():
    from torch.utils.flop_counter import FlopCounterMode

    network, entries = make(), None
    entries = network.encode_clip(torch.rand(1, 25, 3, 64, 64))
    costs = []
    for neighbours in (1, 4, 24):
        with FlopCounterMode(display=False) as counter:
            network.restore(entries[0], entries[1 : 1 + neighbours])
        costs.append(counter.get_total_flops())
    assert costs[2] < 1.002 * costs[0]


@torch.no_grad()
@pytest.mark.parametrize("options", VARIANTS, ids=str)
def test_every_variant_uses_its_neighbours_and_says_which(options):
    network, clip = make(**options), torch.rand(1, 9, 3, 16, 16)
    entries = network.encode_clip(clip)
    _, state = network.decode(network.window(entries, 4))
    chosen = network.chosen(state)
    assert 0 < len(chosen) <= network.frames
    for t in range(9):
        changed = clip.clone()
        changed[:, t] = changed[:, t].flip(-1) * 0.5  # the policy may choose anew, so the choice is held fast
        other = network.encode_clip(changed)
        image, again = (network.restore(e[4], [e[4 + offset] for offset in chosen]) for e in (entries, other))
        assert torch.equal(image, again) == (t != 4 and t - 4 not in chosen)


@torch.no_grad()
def test_each_clip_of_a_batch_chooses_for_itself():
    network, clips = make(selection=True), torch.rand(3, 4, 3, 16, 16)
    clips[1] *= 0.1
    network.selector.decide.weight.mul_(40)
    together = network(clips)
    for clip, expected in zip(clips, together, strict=True):
        torch.testing.assert_close(network(clip[None])[0], expected)


def test_what_a_batch_has_chosen_is_what_any_clip_has():
    picks = torch.tensor([[True, False, False], [False, False, True]])
    assert make(selection=True).chosen(Choice([-3, 1, 5], picks)) == [-3, 5]


@torch.no_grad()
def test_u_and_lookahead_are_respected():
    network = make(selection=True)
    network.selector.decide.bias.fill_(3)  # everybody is wanted
    clip = torch.rand(1, 20, 3, 8, 8)
    for frames, lookahead in ((5, 12), (3, 2), (24, 0), (0, 12)):
        network.limit(frames, lookahead)
        entries = network.encode_clip(clip)
        for centre in (0, 9, 19):
            _, state = network.decode(network.window(entries, centre))
            chosen = network.chosen(state)
            there = [o for o in range(-12, lookahead + 1) if o and 0 <= centre + o < 20]
            assert len(chosen) == min(frames, len(there))
            assert set(chosen) <= set(there)


@torch.no_grad()
def test_without_selection_the_nearest_are_taken():
    network, clip = make(), torch.rand(1, 16, 3, 8, 8)
    wanted = {
        (None, None): [-2, -1, 1, 2],
        (7, None): [-4, -3, -2, -1, 1, 2, 3],
        (7, 1): [-6, -5, -4, -3, -2, -1, 1],
        (2, 0): [-2, -1],
        (0, 0): [],
    }
    for (frames, lookahead), expected in wanted.items():
        network.limit(frames, lookahead)
        entries = network.encode_clip(clip)
        _, state = network.decode(network.window(entries, 8))
        assert network.chosen(state) == expected
    network.limit(4, 12)
    _, state = network.decode(network.window(entries, 0))
    assert network.chosen(state) == [1, 2]  # what there is


def test_limits_that_cannot_be_are_named():
    with pytest.raises(ValueError, match=r"frames must be from 0 to 24, .* got 25"):
        make().limit(frames=25)
    with pytest.raises(ValueError, match=r"lookahead must be from 0 \(none\) to 12 frames, got 13"):
        make().limit(lookahead=13)
    with pytest.raises(ValueError, match="frames=3 cannot be had: GSTANet always uses 2 frames before and 2 after"):
        make(fusion="none").limit(frames=3)
    with pytest.raises(ValueError, match="lookahead=0 cannot be had: ESTRNN always uses"):
        build("estrnn-c70b7").limit(lookahead=0)


def test_blur_masks_are_there_for_training():
    network = make().train()
    entry, _ = network.encode(torch.rand(2, 3, 16, 16))
    masks = network.blur_masks(entry)
    assert [tuple(mask.shape) for mask in masks] == [(2, 1, 8, 8), (2, 1, 4, 4), (2, 1, 8, 8)]
    assert all(mask.min() > 0 and mask.max() < 1 for mask in masks)
    sum(mask.sum() for mask in masks).backward()
    assert network.fuse3.attention.gate.weight.grad.abs().sum() > 0
    with pytest.raises(ValueError, match="need an entry of training mode"):
        network.eval().blur_masks(network.encode(torch.rand(1, 3, 8, 8))[0])
    with pytest.raises(ValueError, match='fusion="ungated" has no gate'):
        make(fusion="ungated").blur_masks(entry)


@pytest.mark.parametrize("options", VARIANTS[:3], ids=str)
def test_gradients_reach_every_weight(options):
    network = GSTANet(**SMALL, **options)
    network(torch.rand(1, 5, 3, 8, 8), ends="valid").square().mean().backward()
    assert [name for name, p in network.named_parameters() if p.grad is None] == []


@torch.no_grad()
def test_start_from_identity_gives_back_the_clip():
    network, clip = make(selection=True), torch.rand(1, 3, 3, 8, 8)
    network.start_from_identity()
    assert torch.equal(network(clip), clip)


def test_wrong_options_are_named():
    with pytest.raises(ValueError, match="one of gated, ungated, none, non-local, got 'gate'"):
        GSTANet(fusion="gate")
    with pytest.raises(ValueError, match="leave out selection"):
        GSTANet(fusion="none", selection=True)
