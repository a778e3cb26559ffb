"""Muon: steps that use all directions of a weight matrix alike (Jordan et al., 2024; scaled as Liu et al., 2025)."""

import torch
from torch import nn

# the quintic a x + b x^3 + c x^5 that brings singular values from (0, 1] to about 1 fastest (Jordan, 2024)
_QUINTIC = (3.4445, -4.7750, 2.0315)
_STEPS = 5
_MOMENTUM = 0.95
_RMS = 0.2  # of a step's entries, as Adam's are in the middle of a training (Liu et al., Eq. 4)


class Muon(torch.optim.Adam):
    """Adam, with Muon for the groups that have "orthogonal": True.

    A kernel (out, in, h, w) of these is taken as a matrix (out, in * h * w); its step is the gradient's running mean
    with every singular value set to about 1. Both kinds of step have entries of the same size, so one learning
    rate serves both. `torch.optim.Muon` has only matrices, and works in bfloat16, which is slow on many CPUs.

    Kernels of groups that have "centred": True as well keep the mean of each output's weights and get back the size
    that they began with (as by weight standardization, Qiao et al., 2019, where that mean is zero). Without, in a long
    chain of convolutions and ReLUs that has no norms, signals that are all positive grow or die together.
    """

    @torch.no_grad()
    def step(self, closure=None):
        if closure is not None:
            raise ValueError("Muon: step takes no closure")
        for group in self.param_groups:
            if group.get("orthogonal"):
                self._step_kernels(group)
        return super().step()

    def _step_kernels(self, group: dict) -> None:
        alike: dict[tuple[int, int], list[nn.Parameter]] = {}
        for weight in group["params"]:
            if weight.grad is not None:
                alike.setdefault((len(weight), weight[0].numel()), []).append(weight)
        for (rows, columns), weights in alike.items():
            directions = []
            for weight in weights:
                state = self.state[weight]
                if not state:  # Adam wants to find its count of steps when it loads a state
                    state.update(step=torch.zeros(()), momentum=torch.zeros_like(weight.grad))
                if group.get("centred"):
                    state.setdefault("size", weight.norm())
                mean = state["momentum"]
                mean.lerp_(weight.grad, 1 - _MOMENTUM)
                directions.append(weight.grad.lerp(mean, _MOMENTUM).reshape(rows, columns))
                weight.grad = None  # so that Adam leaves it alone
            size = group["lr"] * _RMS * max(rows, columns) ** 0.5
            for weight, direction in zip(weights, orthogonal(torch.stack(directions)), strict=True):
                direction = direction.view_as(weight)
                if group.get("centred"):
                    direction = direction - direction.mean((1, 2, 3), keepdim=True)
                weight.mul_(1 - group["lr"] * group["weight_decay"]).sub_(direction, alpha=size)
                if group.get("centred"):
                    weight.mul_(self.state[weight]["size"] / weight.norm().clamp_min(1e-30))


def orthogonal(matrices: torch.Tensor) -> torch.Tensor:
    """(n, rows, columns) -> the same with singular values of 0.7 to 1.2, by Newton-Schulz steps.

    Equivalent to:
        u, s, v = torch.linalg.svd(matrices, full_matrices=False)
        u @ v
    """
    a, b, c = _QUINTIC
    wide = matrices.shape[1] <= matrices.shape[2]
    x = matrices if wide else matrices.mT
    x = x / x.norm(dim=(1, 2), keepdim=True).clamp_min(1e-30)
    for _ in range(_STEPS):
        square = x @ x.mT
        x = a * x + (b * square + c * square @ square) @ x
    return x if wide else x.mT
