"""One frame in the middle of a video as a function of tensors alone, which is what compilers and exporters can take."""

from collections.abc import Sequence
from typing import Any

import torch
from torch import nn
from torch.utils import _pytree as pytree

from vdeblur_fast.reference.modules import FrameSummary
from vdeblur_fast.reference.networks import VideoNetwork
from vdeblur_fast.reference.networks.gsta_net import GSTANet

torch.export.register_dataclass(FrameSummary)


class Step(nn.Module):
    """(frame, state ...) -> (image, the frame's entry, state ...), all of them tensors, in the order of `inputs`.

    The state is what `encode` and `decode` carry on, and the entries of the window's other frames. All that is no
    tensor in them, such as the number of a frame, is a constant of the step.

    network: whatever has `encode` and `decode`. moment: (frame, encoder's state, entries, decoder's state), from
    `steady`.
    """

    def __init__(self, network: nn.Module, moment: tuple[Any, ...]):
        super().__init__()
        self.network, self.moment = network, moment
        self._leaves, self._structure = pytree.tree_flatten(moment)
        self._places = [i for i, leaf in enumerate(self._leaves) if isinstance(leaf, torch.Tensor)]
        self.inputs: tuple[torch.Tensor, ...] = tuple(self._leaves[i] for i in self._places)

    def forward(self, *tensors: torch.Tensor) -> tuple[torch.Tensor, ...]:
        leaves = list(self._leaves)
        for place, tensor in zip(self._places, tensors, strict=True):
            leaves[place] = tensor
        frame, encoded, entries, decoded = pytree.tree_unflatten(leaves, self._structure)
        entry, encoded = self.network.encode(frame, encoded)
        image, decoded = self.network.decode([*entries, entry], decoded)
        found = pytree.tree_leaves((image, entry, encoded, decoded))
        return tuple(leaf for leaf in found if isinstance(leaf, torch.Tensor))


class ChoiceMade(nn.Module):
    """GSTA-Net with the neighbours of an image given: which they are depends on values, and a graph is the same for
    all values. The selection is computed all the same, and its probabilities are the state."""

    def __init__(self, network: GSTANet, neighbours: Sequence[int]):
        super().__init__()
        self.network, self.neighbours = network, list(neighbours)
        self.encode = network.encode

    def decode(self, window: Sequence[Any], state: None = None) -> tuple[torch.Tensor, torch.Tensor]:
        neighbours = [window[i] for i in self.neighbours]
        return self.network.restore(window[self.network.past], neighbours), self.network.policy(window)[0]


@torch.no_grad()
def steady(network: VideoNetwork, frames: torch.Tensor) -> tuple[Any, ...]:
    """frames (past + 2 + future, 3, H, W) -> the moment at which the last of them comes, for `Step`.

    All features have the frames' memory order, as a network that keeps to one order would have left them.
    """
    entries, encoded = [], None
    for frame in frames[:-1]:
        entry, encoded = network.encode(frame[None], encoded)
        entries.append(entry)
    _, decoded = network.decode(entries)
    finished = network.past + 1  # entries whose own image is out
    others = [*map(network.retire, entries[1:finished]), *entries[finished:]]
    order = torch.channels_last if frames.is_contiguous(memory_format=torch.channels_last) else torch.contiguous_format
    moment = frames[-1:], encoded, others, decoded

    def in_order(leaf: Any) -> Any:
        return leaf.clone(memory_format=order) if isinstance(leaf, torch.Tensor) and leaf.ndim == 4 else leaf

    return pytree.tree_map(in_order, moment)


def without_choice(network: VideoNetwork, others: Sequence[nn.Module], moment: tuple[Any, ...]):
    """Networks and moment for `Step`: as they are, or with the choice of neighbours made where there is one."""
    if getattr(network, "selector", None) is None:
        return [network, *others], moment
    *rest, choice = moment
    neighbours = [network.past + offset for offset in network.chosen(choice)]
    return [ChoiceMade(each, neighbours) for each in (network, *others)], (*rest, None)
