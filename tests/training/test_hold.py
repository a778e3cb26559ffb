"""What the picture passes through is held where the network is trained, not where it was made."""

import torch

from vdeblur_fast.reference.networks import build
from vdeblur_fast.training.recipes.recipe import hold


class Mask:
    """A mask that counts how often it is moved."""

    def __init__(self, values: torch.Tensor):
        self.values, self.moves = values, 0

    def to(self, device: torch.device) -> torch.Tensor:
        self.moves += 1
        return self.values.to(device)


def test_masks_move_once(monkeypatch):
    torch.manual_seed(0)
    network = build("estrnn-c70b7")
    masks = {name: Mask(held) for name, held in network.picture_path().items()}
    monkeypatch.setattr(network, "picture_path", lambda: dict(masks))
    hold(network)
    for _ in range(3):
        network.zero_grad()
        network(torch.rand(1, 3, 3, 16, 16)).sum().backward()
    assert masks
    for name, mask in masks.items():
        assert mask.moves == 1
        assert not network.get_parameter(name).grad[mask.values].any()
