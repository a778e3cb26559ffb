"""The networks that the papers compare with: what each sees, and what each is made of."""

import pytest
import torch
from torch.nn.functional import conv2d, grid_sample

from vdeblur_fast import Deblurrer, networks
from vdeblur_fast.reference.comparators import COMPARATORS, IFIRNN, SRN, PWCNet
from vdeblur_fast.reference.comparators.cdvd_tsp import sharpness
from vdeblur_fast.reference.comparators.pwc_net import correlation, warp
from vdeblur_fast.reference.comparators.srn import ConvLSTM
from vdeblur_fast.reference.networks import VideoNetwork

VIDEO = [name for name, kind in COMPARATORS.items() if issubclass(kind, VideoNetwork)]


@pytest.fixture(autouse=True)
def seeded():
    torch.manual_seed(0)


def made(name):
    return COMPARATORS[name]().eval()


def test_they_are_not_offered_for_sharpening():
    assert not set(COMPARATORS) & set(networks())
    assert set(COMPARATORS) - set(VIDEO) == {"pwc-net"}


@torch.no_grad()
@pytest.mark.parametrize("name", VIDEO)
def test_they_turn_clips_into_clips(name):
    network = made(name)
    clip = torch.rand(2, 1, 3, 2 * network.multiple, 3 * network.multiple)
    sharp = network(clip)
    assert sharp.shape == clip.shape
    assert sharp.isfinite().all()
    with pytest.raises(ValueError, match=f"multiples of {network.multiple}"):
        network(torch.rand(1, 2, 3, network.multiple + 1, network.multiple))


@torch.no_grad()
def test_the_engine_takes_them():
    frames = list(torch.rand(3, 3, 30, 41))
    sharp = Deblurrer(IFIRNN(), precision="fp32", device="cpu").stream(frames)
    assert [frame.shape for frame in sharp] == [(3, 30, 41)] * 3


def seen(network, frames, changed):
    """Which images change when one frame does."""
    clip = torch.rand(1, frames, 3, 16, 16)
    other = clip.clone()
    other[:, changed] = 1 - other[:, changed]
    apart = (network(clip) - network(other)).abs().amax((0, 2, 3, 4))
    return [t for t in range(frames) if apart[t] > 0]


@torch.no_grad()
@pytest.mark.parametrize(
    ("name", "images"),
    [("dbn", [1, 2, 3, 4, 5]), ("srn", [3]), ("ifirnn-c2h3", [3, 4, 5, 6])],
)
def test_they_see_as_many_frames_as_their_papers_say(name, images):
    assert seen(made(name), 7, 3) == images


@torch.no_grad()
def test_ifirnn_reads_each_frame_four_times():
    network, calls = IFIRNN().eval(), []
    for cell in (network.first, network.second):
        cell.register_forward_hook(lambda module, inputs, _: calls.append((module, inputs[1])))
    network(torch.rand(1, 2, 3, 8, 8))
    assert [module is network.first for module, _ in calls] == [True, False, False, False] * 2
    assert not calls[0][1].any()
    assert calls[4][1].any()  # the state goes on to the next frame


@torch.no_grad()
def test_srn_works_from_coarse_to_fine():
    network, sizes = SRN().eval(), []
    network.lstm.register_forward_hook(lambda module, inputs, _: sizes.append(tuple(inputs[0].shape[2:])))
    network(torch.rand(1, 1, 3, 32, 48))
    assert sizes == [(2, 3), (4, 6), (8, 12)]


@torch.no_grad()
def test_conv_lstm_gates():
    cell = ConvLSTM(2, 5)
    x, hidden, kept = torch.randn(3, 1, 2, 6, 7)
    gates = conv2d(torch.cat([x, hidden], 1), cell.gates.weight, cell.gates.bias, padding=2)
    i, f, o, g = gates[:, :2], gates[:, 2:4], gates[:, 4:6], gates[:, 6:]
    want = f.sigmoid() * kept + i.sigmoid() * g.tanh()
    got = cell(x, (hidden, kept))
    torch.testing.assert_close(got[1], want)
    torch.testing.assert_close(got[0], o.sigmoid() * want.tanh())


def test_correlation_by_brute_force():
    first, second = torch.randn(2, 1, 3, 6, 7)
    got = correlation(first, second)
    assert got.shape == (1, 81, 6, 7)
    for index in (0, 8, 12, 40, 77, 80):
        dy, dx = index // 9 - 4, index % 9 - 4
        for y, x in ((0, 0), (2, 3), (5, 6)):
            there = 0 <= y + dy < 6 and 0 <= x + dx < 7
            want = (first[0, :, y, x] * second[0, :, y + dy, x + dx]).mean() if there else torch.zeros(())
            torch.testing.assert_close(got[0, index, y, x], want)


def test_warp_moves_by_pixels_and_masks_what_is_outside():
    x = torch.rand(1, 3, 5, 6)
    same, mask = warp(x, torch.zeros(1, 2, 5, 6))
    torch.testing.assert_close(same, x)
    assert mask.all()
    flow = torch.stack([torch.full((1, 5, 6), 2.0), torch.full((1, 5, 6), -1.0)], 1)
    for padding in ("zeros", "border"):
        moved, mask = warp(x, flow, padding)
        torch.testing.assert_close(moved[..., 1:, :-2], x[..., :-1, 2:])
        assert not moved[..., :1, :].any()
        assert not moved[..., -2:].any()
        assert mask.sum() == 4 * 4


@torch.no_grad()
@pytest.mark.parametrize("size", [(20, 30), (64, 128)])
def test_pwc_net_gives_a_flow_for_any_size(size):
    flow = PWCNet().eval()(torch.rand(2, 3, *size), torch.rand(2, 3, *size))
    assert flow.shape == (2, 2, *size)
    assert flow.isfinite().all()


@torch.no_grad()
def test_pwc_net_measures_in_pixels_of_the_frame():
    network = PWCNet().eval()
    last = network.refine[-1]
    for layer in (network.estimators[-1].flow, last):
        layer.weight.zero_()
        layer.bias.zero_()
    last.bias.copy_(torch.tensor([0.1, -0.2]))
    flow = network(torch.rand(1, 3, 32, 48), torch.rand(1, 3, 32, 48))
    want = torch.tensor([0.1 * 20 * 48 / 64, -0.2 * 20 * 32 / 64])
    torch.testing.assert_close(flow, want.view(1, 2, 1, 1).expand_as(flow))


def test_frames_that_agree_are_sharp():
    frame = torch.rand(1, 3, 9, 9)
    mask = torch.ones(1, 1, 9, 9)
    mask[..., 0] = 0
    assert torch.equal(sharpness([frame] * 3, mask), mask)
    # a difference of d everywhere, of one neighbour: exp(-sqrt(3 d^2 / 2)), away from the border of the 5x5 mean
    found = sharpness([frame + 0.2, frame, frame], torch.ones(1, 1, 9, 9))
    want = torch.exp(-torch.tensor(3 * 0.2**2 / 2).sqrt())
    torch.testing.assert_close(found[..., 2:-2, 2:-2], want.expand(1, 1, 5, 5))


@torch.no_grad()
def test_cdvd_tsp_estimates_thrice_and_once_more():
    network, pairs, inputs = made("cdvd-tsp"), [], []
    network.flow.register_forward_hook(lambda module, frames, _: pairs.append(frames))
    network.reconstruct.register_forward_hook(lambda module, x, _: inputs.append(x[0]))
    frames = list(torch.rand(5, 1, 3, 8, 12))
    network.decode(frames)
    assert [torch.equal(pairs[i][0], frames[i // 2 + 1]) for i in range(6)] == [True] * 6
    assert [torch.equal(pairs[i][1], frames[i // 2 + 2 * (i % 2)]) for i in range(6)] == [True] * 6
    assert len(pairs) == 8
    assert [tuple(x.shape) for x in inputs] == [(1, 10, 8, 12)] * 4


def test_the_mask_is_that_of_sampled_ones():
    x, flow = torch.rand(2, 3, 7, 9), 3 * torch.randn(2, 2, 7, 9)
    moved, mask = warp(x, flow)
    rows, columns = torch.meshgrid(torch.arange(7.0), torch.arange(9.0), indexing="ij")
    grid = torch.stack([(columns + flow[:, 0]) / 4 - 1, (rows + flow[:, 1]) / 3 - 1], -1)
    ones = grid_sample(torch.ones_like(x), grid, align_corners=True)
    assert torch.equal(mask, (ones[:, :1] > 0.999).float())
    torch.testing.assert_close(moved, grid_sample(x, grid, align_corners=True) * mask, rtol=1e-4, atol=1e-5)


def test_a_flow_to_the_last_pixel_stays_inside():
    flow = torch.zeros(1, 2, 1, 4)
    flow[0, 0, 0, 0] = 3
    assert warp(torch.arange(4.0).view(1, 1, 1, 4), flow)[0][0, 0, 0, 0].item() == 3
