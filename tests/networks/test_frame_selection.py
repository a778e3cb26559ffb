"""Who may be picked: the policy's answer, u, the current frame, frames that are not there."""

import pytest
import torch

from vdeblur_fast.reference.networks import EvaluationNetwork, FrameSelectionNetwork
from vdeblur_fast.reference.networks.frame_selection import select, thumbnail

EVERYONE = torch.ones(25, dtype=torch.bool)


def test_it_is_as_small_as_the_paper_says():
    assert sum(p.numel() for p in FrameSelectionNetwork().parameters()) <= 200_000
    assert sum(p.numel() for p in EvaluationNetwork().parameters()) == 26 + 25 + 1


@torch.no_grad()
@pytest.mark.parametrize(("height", "width"), [(1, 1), (7, 3), (16, 33)])
def test_the_policy_and_its_state(height, width):
    network = FrameSelectionNetwork()
    frames = torch.rand(2, 25, 3, height, width)
    probabilities, state = network(frames, 6)
    assert probabilities.shape == (2, 25)
    assert state.shape == (2, 26)
    assert state[:, 25].tolist() == [0.25, 0.25]
    assert ((probabilities > 0) & (probabilities < 1)).all()
    seen = network.look(frames.flatten(1, 2) - 0.5).view(2, 25, 5, -1).mean((2, 3))
    torch.testing.assert_close(state[:, :25], seen)
    torch.testing.assert_close(probabilities, torch.sigmoid(network.decide(state)))
    each, _ = network(frames, torch.tensor([6, 0]))
    torch.testing.assert_close(each[0], probabilities[0])
    assert not torch.allclose(each[1], probabilities[1])


@pytest.mark.parametrize("u", [0, 1, 3, 5, 24])
def test_u_is_respected(u):
    probabilities = torch.rand(50, 25, generator=torch.Generator().manual_seed(u))
    picked = select(probabilities, EVERYONE, u)
    assert picked[:, 12].all()
    assert (picked.sum(1) <= u + 1).all()
    for clip, row in zip(picked, probabilities, strict=True):
        wanted = [i for i in range(25) if i != 12 and row[i] > 0.5]
        best = sorted(wanted, key=lambda i: -row[i])[:u]
        assert clip.nonzero()[:, 0].tolist() == sorted([12, *best])


def test_nobody_worth_it_nobody_picked():
    assert select(torch.full((1, 25), 0.5), EVERYONE, 5).nonzero().tolist() == [[0, 12]]


def test_of_equals_the_earlier_are_taken():
    assert select(torch.full((1, 25), 0.9), EVERYONE, 3)[0].nonzero()[:, 0].tolist() == [0, 1, 2, 12]


def test_who_is_not_there_is_not_picked():
    available = EVERYONE.clone()
    available[:12] = available[20:] = False
    assert select(torch.full((1, 25), 0.9), available, 24)[0].nonzero()[:, 0].tolist() == list(range(12, 20))


def test_thumbnails_are_means():
    frame = torch.rand(1, 3, 8, 12)
    torch.testing.assert_close(thumbnail(frame)[0, 1, 1, 2], frame[0, 1, 4:8, 8:12].mean())


def test_a_wrong_number_of_frames_is_named():
    with pytest.raises(ValueError, match=r"must be \(B, 25, 3, h, w\), got \(1, 5, 3, 4, 4\)"):
        FrameSelectionNetwork()(torch.rand(1, 5, 3, 4, 4), 5)
