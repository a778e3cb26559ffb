"""A network, clips and recipes so small that a step takes milliseconds."""

from dataclasses import dataclass
from unittest.mock import patch

import torch
from torch import nn
from torch.utils.data import Dataset

from vdeblur_fast.reference.networks import DAVID, MMPRNN, STRCNN, GSTANet, MMPNet, VideoNetwork, strcnn
from vdeblur_fast.training.data import WithDraws
from vdeblur_fast.training.recipes import Recipe
from vdeblur_fast.training.tasks import DeblurTask, Task


class Clips(Dataset):
    """Noise, blurred along the rows; clip n is made from (seed, n) alone. frames 5 of 32 x 32."""

    def __init__(self, seed: int = 0, frames: int = 5, size: int = 32):
        self.seed, self.frames, self.size = seed, frames, size

    def __getitem__(self, number: int) -> dict[str, torch.Tensor]:
        random = torch.Generator().manual_seed(1000 * self.seed + int(number))
        sharp = torch.rand(self.frames, 3, self.size, self.size, generator=random)
        blurry = (sharp + sharp.roll(1, -1) + sharp.roll(-1, -1)) / 3
        magnitude = blurry.mean(1, keepdim=True)
        return {"blurry": blurry, "sharp": sharp, "magnitude": magnitude, "mask": (magnitude > 0.5).float()}


class Filter(VideoNetwork):
    """One convolution of a frame and its two neighbours."""

    past = future = 1

    def __init__(self):
        super().__init__()
        self.conv = nn.Conv2d(9, 3, 3, padding=1)

    def encode(self, frame, state=None):
        return frame, None

    def decode(self, window, state=None):
        return self.conv(torch.cat(list(window), 1)) + window[1], None


def tiny_magnitude_net() -> MMPNet:
    return MMPNet((2, 2, 2, 2, 2), scale=2)


def small_strcnn() -> STRCNN:
    with patch.object(strcnn, "CHANNELS", strcnn.PASSED_ON + 4):
        return STRCNN()


def tiny_gsta_net(**options) -> GSTANet:
    return GSTANet(**{**options, "widths": (4, 4, 4), "growths": (2, 2, 2)})


def branches() -> DAVID:
    """From the identity, where a random start of so narrow a network takes a hundred steps to get."""
    network = DAVID(8, scales=(1, 3), levels=2)
    network.start_from_identity()
    return network


# What is trained: a filter, an MMP-Net, a filter with an MMP-Net in its loss, an MMP-RNN with one inside, and the
# networks of the other papers.
NETWORKS = {
    "deblur": Filter,
    "magnitude": tiny_magnitude_net,
    "watched": Filter,
    "guided": lambda: MMPRNN(2, 1, 1, magnitude_net=tiny_magnitude_net(), stem_stride=2),
    "recurrent": small_strcnn,
    "branches": branches,
    "restoration": tiny_gsta_net,
    "selection": lambda: tiny_gsta_net(selection=True),
}
SETTINGS = {
    "magnitude": {"kind": "magnitude"},
    "guided": {"magnitude_weight": 0.1},
    "recurrent": {"kind": "squared", "weight_penalty": 1e-5, "learning_rate": 1e-5},
    "branches": {"kind": "squared", "learning_rate": 1e-3},
    "restoration": {"kind": "restoration", "frames": 5, "learning_rate": 1e-3},
    "selection": {"kind": "selection", "frames": 25, "us": (3, 5, 7), "learning_rate": 1e-3},
}


@dataclass(frozen=True, kw_only=True)
class ToyRecipe(Recipe):
    """A recipe for a network that has no name in the package."""

    def build_network(self) -> nn.Module:
        return NETWORKS[self.network]()

    def make_task(self, magnitude=None, init=None) -> Task:
        if self.network != "watched":
            return super().make_task(magnitude, init)
        return DeblurTask(self.build_network(), self.ends, tiny_magnitude_net())


def toy_recipe(kind: str = "deblur", **settings) -> Recipe:
    defaults = {
        "name": "toy",
        "network": kind,
        "source": "the tests",
        "batch": 4,
        "steps": 6,
        "learning_rate": 1e-2,
        "warmup": 2,
        "ema": 0.9,
        "magnitude_weight": 0.0,
    }
    return ToyRecipe(**{**defaults, **SETTINGS.get(kind, {}), **settings})


def toy_clips(kind: str = "deblur", seed: int = 0, clips: type[Clips] = Clips) -> Dataset:
    if kind == "selection":
        return WithDraws(clips(seed, frames=25), seed)
    return clips(seed, size=16) if kind == "recurrent" else clips(seed)
