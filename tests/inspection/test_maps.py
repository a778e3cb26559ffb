"""The maps are those that the modules compute with: from them the modules' results can be had again."""

import pytest
import torch

from vdeblur_fast.inspection.maps import (
    blending_weights,
    blur_mask,
    heard,
    heard_from,
    most_blurred,
    pixel_attention,
    shares,
    spatial_attention,
    temporal_attention,
)
from vdeblur_fast.reference.modules import DTB, GSTA, AttentionMix


def test_the_attention_maps_give_the_modules_output():
    torch.manual_seed(0)
    attention = GSTA(6, spatial_maps=3, temporal_maps=2)
    x = torch.randn(1, 4, 6, 5, 7) * 3
    with torch.no_grad():
        spatial = torch.stack([spatial_attention(attention, frame) for frame in x.unbind(1)], 1)
        mask = torch.stack([blur_mask(attention, frame) for frame in x.unbind(1)], 1)
        temporal = temporal_attention(attention, x.mean((3, 4)))
        pixel = pixel_attention(attention, x[:, 1])
        wanted, wanted_mask = attention(x, center=1, return_mask=True)
        listened = heard_from(pixel, temporal, spatial, 2, 3)
        found = torch.einsum("bthw,btchw->bc", listened * (1 - mask[:, :, 0]), x)
    assert spatial.sum((3, 4)) == pytest.approx(torch.ones(1, 4, 3).numpy(), abs=1e-5)
    assert temporal.sum(1) == pytest.approx(torch.ones(1, 2).numpy(), abs=1e-5)
    assert pixel.sum((1, 2)) == pytest.approx(torch.ones(1, 5, 7).numpy(), abs=1e-5)
    torch.testing.assert_close(mask, wanted_mask)
    torch.testing.assert_close(found, wanted[:, :, 2, 3], rtol=1e-4, atol=1e-5)
    torch.testing.assert_close(listened.sum((2, 3)), heard(pixel, temporal)[:, :, 2, 3])


def test_what_is_heard_sums_to_one():
    pixel = torch.randn(2, 6, 4, 5).softmax(1).unflatten(1, (3, 2))
    temporal = torch.randn(2, 7, 2).softmax(1)
    found = heard(pixel, temporal)
    assert found.shape == (2, 7, 4, 5)
    torch.testing.assert_close(found.sum(1), torch.ones(2, 4, 5))


def test_without_a_gate_there_is_no_mask():
    with pytest.raises(ValueError, match="gated=False"):
        blur_mask(GSTA(4, gated=False), torch.zeros(1, 4, 3, 3))


def test_the_most_blurred_region_is_found():
    mask = torch.zeros(40, 60)
    mask[20:28, 41:49] = 1
    mask[3, 3] = 5  # a single pixel is no region
    row, column = most_blurred(mask)
    assert 20 <= row < 28
    assert 41 <= column < 49
    assert most_blurred(torch.zeros(1, 1)) == (0, 0)


@pytest.mark.parametrize("beta", [-0.5, 0.2, 3.0])
def test_the_blending_weights_give_the_modules_output(beta):
    torch.manual_seed(0)
    blend = DTB(5)
    blend.beta.data.fill_(beta)
    current, previous = torch.randn(2, 1, 5, 6, 7)
    with torch.no_grad():
        weights = blending_weights(blend, current, previous)
        wanted = blend(current, previous)
    assert weights.min() >= min(max(beta, 0), 1)
    assert weights.max() <= 1
    torch.testing.assert_close(weights * current + (1 - weights) * previous, wanted)


def test_the_shares_give_the_mix():
    estimates, logits, outer = torch.randn(1, 3, 4, 3, 5, 6), torch.randn(1, 3, 4, 5, 6), torch.randn(1, 3, 5, 6)
    internal, external = shares(logits), shares(outer)
    torch.testing.assert_close(internal.sum(2), torch.ones(1, 3, 5, 6))
    torch.testing.assert_close(external.sum(1), torch.ones(1, 5, 6))
    found = (external[:, :, None] * internal)[:, :, :, None] * estimates
    torch.testing.assert_close(found.sum((1, 2)), AttentionMix()(estimates, logits, outer))
    assert shares(logits, "none").equal(logits)
