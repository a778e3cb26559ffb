"""The exponential moving average of the weights: what is validated and exported."""

import copy

import torch
from torch import nn


class EMA:
    """A copy of a network whose weights follow it slowly: average += (1 - decay) * (weights - average).

    The average is float32 whatever the network computes in. Early on the decay is smaller, (1 + updates) /
    (10 + updates), so that the random first weights are forgotten. Buffers (batch norm's statistics) are
    already averages and are copied.
    """

    def __init__(self, network: nn.Module, decay: float = 0.999):
        if not 0 <= decay < 1:
            raise ValueError(f"EMA: decay must be in 0..1 (1 excluded), got {decay}")
        self.decay = decay
        self.network = copy.deepcopy(network).float().eval().requires_grad_(False)

    @torch.no_grad()
    def update(self, network: nn.Module, updates: int) -> None:
        """Takes in the weights after optimizer step number `updates` (from 1)."""
        decay = min(self.decay, (1 + updates) / (10 + updates))
        averages, weights = list(self.network.parameters()), list(network.parameters())
        torch._foreach_lerp_(averages, [weight.float() for weight in weights], 1 - decay)
        for copied, buffer in zip(self.network.buffers(), network.buffers(), strict=True):
            copied.copy_(buffer)
