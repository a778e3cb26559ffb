"""Frames in tiles give what whole frames give, wherever the tiles meet."""

import pytest
import torch

from vdeblur_fast import build
from vdeblur_fast.reference.networks.tiling import Tiles, tiled

from .test_david import make as make_david
from .test_gsta_net import make as make_gsta
from .test_strcnn import make as make_strcnn

NETWORKS = {
    "strcnn-dtb": make_strcnn,
    "cnn": lambda: make_strcnn(recurrent=False, blending=False),
    "david": make_david,
    "gsta": make_gsta,
    "gsta-ungated": lambda: make_gsta(fusion="ungated"),
    "gsta-none": lambda: make_gsta(fusion="none"),
    "gsta-selection": lambda: make_gsta(selection=True),
}
# strips wider than DAVID's halo; and corners, for those with a smaller one
SIZES = [(16, 480, 64), (448, 32, 40), (64, 48, 512)]
CASES = [(name, *size) for name in NETWORKS for size in SIZES]
CASES += [(name, 112, 144, 48) for name in NETWORKS if name != "david"]


@torch.no_grad()
@pytest.mark.parametrize(("name", "height", "width", "tile"), CASES)
def test_tiles_give_the_same_as_the_whole_frame(name, height, width, tile):
    network = NETWORKS[name]()
    clip = torch.rand(1, 3, 3, height, width)
    expected = network(clip)
    torch.testing.assert_close(tiled(network, tile)(clip), expected, rtol=1e-4, atol=2e-5 * expected.abs().max().item())


@pytest.mark.parametrize("name", ["strcnn-dtb", "david", "gsta"])
def test_what_must_be_precise_stays_so_in_tiles(name):
    network = NETWORKS[name]()
    first, module = next(network.named_children())
    network.precise = (first,)
    pieces = tiled(network, 48).compute_in(torch.bfloat16)
    assert pieces.fine == network.fine
    assert {p.dtype for p in module.parameters()} == {torch.float32}


@torch.no_grad()
@pytest.mark.parametrize("name", ["strcnn-dtb", "david", "gsta"])
def test_the_halo_is_needed(name):
    network = NETWORKS[name]()
    clip = torch.rand(1, 2, 3, 48, 112)
    pieces = tiled(network, 48)
    pieces.tiles = Tiles(48, 0, network.multiple)
    expected = network(clip)
    assert (pieces(clip) - expected).abs().max() > 1e-3 * expected.abs().max()


@torch.no_grad()
@pytest.mark.parametrize(("name", "side"), [("strcnn-dtb", 160), ("david", 384)])
def test_the_halo_is_as_wide_as_the_network_looks(name, side):
    network = NETWORKS[name]()
    middle = side // 2
    frame = torch.rand(1, 3, side, side)
    changed = frame.clone()
    changed[..., middle + network.halo :, :] = 0
    window = [torch.rand(1, 3, side, side) for _ in range(network.past + 1 + network.future)]
    images = []
    for x in (frame, changed):
        window[network.past] = x
        images.append(network.decode(window)[0][..., middle - 1, :])
    assert torch.equal(*images)


@pytest.mark.parametrize(("height", "width", "side"), [(64, 64, 16), (100, 36, 30), (8, 8, 100)])
def test_tiles_cover_a_frame_once(height, width, side):
    count = torch.zeros(height, width)
    for core, outer in Tiles(side, 10, 4).cover(height, width):
        core.of(count, 1).add_(1)
        assert outer.top == max(0, core.top - 12)
        assert outer.right == min(width, core.right + 12)
    assert (count == 1).all()


def test_who_cannot_says_why():
    for name, reason in {
        "mmp-rnn-tiny": "MMP-Net's interpolation",
        "estrnn-c70b7": "averages over the whole frame",
        "gsta-net5": "non-local block works on a grid",
    }.items():
        with pytest.raises(ValueError, match=f"tile=64 cannot be had: .*{reason}"):
            tiled(build(name), 64)
    with pytest.raises(ValueError, match="tile must be at least 1 pixel, got 0"):
        tiled(build("strcnn"), 0)
