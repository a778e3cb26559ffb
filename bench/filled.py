"""Networks for measurements: with the weights that ship, or the same random ones every time."""

import torch

from vdeblur_fast import build, weights
from vdeblur_fast.reference.networks import VideoNetwork


def filled(name: str) -> VideoNetwork:
    torch.manual_seed(0)
    network = build(name)
    if name in weights.available():
        weights.load(network, name)
    return network.eval().requires_grad_(False)
