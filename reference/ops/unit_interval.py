"""A trained number that is kept between 0 and 1."""

from typing import Any

import torch


class _KeptInUnitInterval(torch.autograd.Function):
    """A clamp whose gradient still passes where it leads back inside, so a number that a step took out returns."""

    @staticmethod
    def forward(x: torch.Tensor) -> torch.Tensor:
        return x.clamp(0, 1)

    @staticmethod
    def setup_context(ctx: Any, inputs: tuple[torch.Tensor], output: torch.Tensor) -> None:
        ctx.save_for_backward(*inputs)
        ctx.save_for_forward(*inputs)

    @staticmethod
    def backward(ctx: Any, gradient: torch.Tensor) -> torch.Tensor:
        (x,) = ctx.saved_tensors
        leads_outside = ((x < 0) & (gradient > 0)) | ((x > 1) & (gradient < 0))
        return gradient.masked_fill(leads_outside, 0)

    @staticmethod
    def jvp(ctx: Any, tangent: torch.Tensor) -> torch.Tensor:
        """A clamp's own: of what becomes of a tangent nothing is known here."""
        (x,) = ctx.saved_tensors
        return tangent.masked_fill((x < 0) | (x > 1), 0)


def kept_in_unit_interval(x: torch.Tensor) -> torch.Tensor:
    """x where it is between 0 and 1, else the nearer of the two."""
    return _KeptInUnitInterval.apply(x)
