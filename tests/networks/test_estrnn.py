"""ESTRNN against its description, written out a second time in plain functions."""

import pytest
import torch
from torch.nn.functional import conv_transpose2d, gelu, linear

from vdeblur_fast import build
from vdeblur_fast.reference.networks import ESTRNN

from .test_mmp_rnn import conv, rdb, rdn


def attended(p, centre, neighbour):
    pair = torch.cat([centre, neighbour], 1)
    hidden = gelu(linear(pair.mean((2, 3)), p["attention.gate.0.weight"], p["attention.gate.0.bias"]))
    weights = linear(hidden, p["attention.gate.1.weight"], p["attention.gate.1.bias"]).sigmoid()
    values = conv(p, "attention.pointwise.1", conv(p, "attention.pointwise.0", pair))
    return conv(p, "attention.condense", weights[..., None, None] * values)


@torch.no_grad()
def test_estrnn_is_what_its_paper_draws():
    torch.manual_seed(0)
    network = ESTRNN(4, 2).eval()
    p = network.state_dict()
    clip = torch.rand(2, 6, 3, 8, 12)
    features, hidden = [], torch.zeros(2, 4, 2, 3)
    for t in range(6):
        y = conv(p, "extract.2", rdb(p, "extract.1", conv(p, "extract.0", clip[:, t] - 0.5)), 2)
        own = conv(p, "extract.4", rdb(p, "extract.3", y), 2)
        f = rdn(p, "align", torch.cat([own, hidden], 1), 2)
        hidden = conv(p, "hidden.2", rdb(p, "hidden.1", conv(p, "hidden.0", f)))
        features.append(f)
    for t in (2, 3):
        neighbours = [attended(p, features[t], features[i]) for i in (t - 2, t - 1, t + 1, t + 2)]
        y = conv(p, "attention.fuse", torch.cat([*neighbours, features[t]], 1))
        for i in (0, 1):
            y = conv_transpose2d(y, p[f"reconstruct.{i}.weight"], p[f"reconstruct.{i}.bias"], 2, 1, 1)
        image = conv(p, "reconstruct.2", y) + 0.5
        torch.testing.assert_close(network(clip)[:, t], image)


@torch.no_grad()
def test_estrnn_gives_back_as_many_frames():
    network = build("estrnn-c70b7").eval()
    for frames in (1, 2, 5):
        assert network(torch.rand(1, frames, 3, 8, 8)).shape == (1, frames, 3, 8, 8)


def test_the_start_from_identity_gives_back_the_clip_and_can_learn():
    torch.manual_seed(0)
    network = ESTRNN(12, 2)
    network.start_from_identity()
    clip = torch.rand(1, 4, 3, 8, 12)
    torch.testing.assert_close(network.eval()(clip), clip, rtol=0, atol=1e-6)
    for _ in range(2):  # what is behind weights that are 0 learns after the first step
        network.zero_grad()
        network(clip).sub(torch.rand_like(clip)).square().mean().backward()
        with torch.no_grad():
            for weight in network.parameters():
                weight.sub_(weight.grad)
    assert all(weight.grad.any() for weight in network.parameters())


@torch.no_grad()
def test_at_the_start_all_blocks_but_the_first_are_free():
    torch.manual_seed(0)
    network = ESTRNN(12, 3).eval()
    network.start_from_identity()
    for weight in network.align.blocks[1:].parameters():
        weight.normal_(0, 0.3)
    clip = torch.rand(1, 4, 3, 8, 12)
    torch.testing.assert_close(network(clip), clip, rtol=0, atol=1e-5)


def test_where_the_picture_passes_is_all_that_the_start_needs():
    torch.manual_seed(0)
    network = ESTRNN(12, 3).eval()
    network.start_from_identity()
    clip, held = torch.rand(1, 4, 3, 8, 12), network.picture_path()
    names = dict(network.named_parameters())
    assert all(names[name].shape == mask.shape and mask.any() for name, mask in held.items())
    for layer in ("align.fuse", "align.conv", "attention.fuse", "reconstruct.0", "reconstruct.1", "reconstruct.2"):
        mask, weight = held[f"{layer}.weight"], names[f"{layer}.weight"]
        assert not mask.all()
        assert weight.masked_fill(mask, 0).abs().sum() < weight.abs().sum()
    with torch.no_grad():
        for name, weight in names.items():  # nothing that is held reaches the image from anywhere else
            kept = held.get(name, torch.zeros_like(weight, dtype=torch.bool))
            weight.mul_(kept | name.startswith(("align.blocks", "hidden", "attention.gate", "attention.pointwise")))
        torch.testing.assert_close(network(clip), clip, rtol=0, atol=1e-5)


def test_too_few_features_for_the_identity_are_said():
    with pytest.raises(ValueError, match="features=12 or more to pass through, got 8"):
        ESTRNN(8, 1).start_from_identity()
