"""STRCNN+DTB against its paper, written out a second time in plain functions."""

import pytest
import torch
from torch.nn.functional import batch_norm, conv_transpose2d, relu

from vdeblur_fast import build
from vdeblur_fast.reference.networks import STRCNN

from .test_mmp_rnn import conv


def norm(p, name, x):
    keys = ("running_mean", "running_var", "weight", "bias")
    return batch_norm(x, *(p[f"{name}.{key}"] for key in keys))


def blocks(p, name, x):
    for i in range(4):
        y = relu(norm(p, f"{name}.{i}.body.1", conv(p, f"{name}.{i}.body.0", x)))
        x = relu(x + norm(p, f"{name}.{i}.body.4", conv(p, f"{name}.{i}.body.3", y)))
    return x


def by_hand(network, clip, m):
    """The outputs of Fig. 4 for the frames that have all their neighbours."""
    p, images, passed_on, blended = network.state_dict(), [], None, None
    for n in range(m, clip.shape[1] - m):
        x = relu(conv(p, "filter.0", clip[:, n - m : n + m + 1].flatten(1, 2)))
        x = relu(conv(p, "filter.2", x, 2))
        passed_on = torch.zeros_like(x) if passed_on is None else passed_on
        h = blocks(p, "encoder", torch.cat([x, passed_on], 1))
        if blended is not None:
            compared = conv(p, "blend.similarity", torch.cat([h, blended], 1))
            w = (compared.tanh().abs() + p["blend.beta"]).clamp(max=1)
            h = w * h + (1 - w) * blended
        blended = h
        y = blocks(p, "decoder", h)
        passed_on = relu(conv(p, "pass_on", y))
        y = relu(conv_transpose2d(y, p["reconstruct.0.weight"], p["reconstruct.0.bias"], 2, 1))
        images.append(conv(p, "reconstruct.2", y))
    return torch.stack(images, 1)


def make(**options):
    """A network whose batch norms have seen something."""
    torch.manual_seed(0)
    network = STRCNN(**options)
    with torch.no_grad():
        network(torch.rand(2, 4, 3, 12, 16))
    return network.eval()


@torch.no_grad()
@pytest.mark.parametrize("m", [1, 2])
def test_strcnn_dtb_is_what_the_paper_draws(m):
    network, clip = make(m=m), torch.rand(2, 7, 3, 12, 18)
    torch.testing.assert_close(network(clip, ends="valid"), by_hand(network, clip, m))


@torch.no_grad()
def test_the_first_frame_is_blended_with_nothing():
    network, clip = make(), torch.rand(1, 3, 3, 8, 8)
    blind = make(blending=False)
    blind.load_state_dict({key: value for key, value in network.state_dict().items() if not key.startswith("blend")})
    assert torch.equal(network(clip)[:, 0], blind(clip)[:, 0])
    assert not torch.allclose(network(clip)[:, 1], blind(clip)[:, 1])
    assert not torch.allclose(make(zero_start=True)(clip)[:, 0], network(clip)[:, 0])


@torch.no_grad()
def test_beta_one_is_strcnn():
    network, clip = make(), torch.rand(1, 4, 3, 8, 8)
    network.blend.beta.fill_(1)
    blind = make(blending=False)
    blind.load_state_dict({key: value for key, value in network.state_dict().items() if not key.startswith("blend")})
    torch.testing.assert_close(network(clip), blind(clip))


def test_the_three_networks_have_as_many_parameters_but_for_the_blending():
    cnn, strcnn, blended = (build(name) for name in ("cnn", "strcnn", "strcnn-dtb"))
    count = {network: sum(p.numel() for p in network.parameters()) for network in (cnn, strcnn, blended)}
    assert count[cnn] == count[strcnn]
    assert count[blended] - count[strcnn] == sum(p.numel() for p in blended.blend.parameters())
    assert (count[strcnn], count[blended]) == (711_619, 916_484)


@torch.no_grad()
def test_memory_reaches_back_but_not_in_the_cnn():
    clip = torch.rand(1, 6, 3, 8, 8)
    changed = clip.clone()
    changed[:, 0] = 0
    for network, remembers in (
        (make(), True),
        (make(blending=False), True),
        (make(recurrent=False, blending=False), False),
    ):
        assert torch.allclose(network(clip)[:, 4], network(changed)[:, 4]) != remembers


def test_beta_is_trained():
    network = STRCNN()
    network(torch.rand(1, 3, 3, 8, 8)).square().mean().backward()
    assert network.blend.beta.grad.abs() > 0
    assert [name for name, p in network.named_parameters() if p.grad is None] == []


def test_wrong_options_are_named():
    with pytest.raises(ValueError, match="m must be at least 0, got -1"):
        STRCNN(m=-1)
    with pytest.raises(ValueError, match="needs recurrent=True"):
        STRCNN(recurrent=False)


@pytest.mark.parametrize("name", ["cnn", "strcnn", "strcnn-dtb", "strcnn-dtb-m2"])
@torch.inference_mode()
def test_start_from_identity_gives_back_the_clip(name):
    torch.manual_seed(0)
    network = build(name).eval()
    network.start_from_identity()
    clip = torch.rand(1, 4, 3, 18, 22)
    # The blending takes some thousandths of the frame before.
    torch.testing.assert_close(network(clip), clip, rtol=0, atol=5e-3 if "dtb" in name else 1e-6)


def test_the_start_from_identity_can_learn():
    torch.manual_seed(0)
    network = build("strcnn-dtb").train()
    network.start_from_identity()
    clip = torch.rand(1, 4, 3, 16, 16)
    for rate in (0.1, 0.1, 0):  # what is behind weights that are 0 learns after the first steps
        network.zero_grad()
        (network(clip) - 0.5).square().mean().backward()
        with torch.no_grad():
            for weight in network.parameters():
                weight -= rate * weight.grad
    assert {name for name, weight in network.named_parameters() if not weight.grad.any()} == set()


@pytest.mark.parametrize("name", ["cnn", "strcnn", "strcnn-dtb"])
@torch.inference_mode()
def test_the_picture_passes_through_what_is_held_alone(name):
    torch.manual_seed(0)
    network = build(name).eval()
    network.start_from_identity()
    held, clip = network.picture_path(), torch.rand(1, 3, 3, 10, 12)
    writes = ("reconstruct.0.weight", "reconstruct.0.bias", "reconstruct.2.weight", "reconstruct.2.bias")
    for key, weight in network.named_parameters():
        if key not in writes:  # what would write an image of its own
            free = ~held.get(key, torch.zeros_like(weight, dtype=torch.bool))
            weight[free] += 0.02 * torch.randn_like(weight)[free]
    torch.testing.assert_close(network(clip), clip, rtol=0, atol=1e-3 if "dtb" in name else 1e-6)
