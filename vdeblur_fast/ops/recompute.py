"""Gradients of an operator whose fused body kept nothing but its inputs."""

from collections.abc import Callable, Sequence

import torch


def recompute_gradients(
    reference: Callable[..., Sequence[torch.Tensor | None]],
    inputs: Sequence[torch.Tensor | None],
    wanted: Sequence[bool],
    gradients: Sequence[torch.Tensor | None],
) -> list[torch.Tensor | None]:
    """Runs `reference(*inputs)` again and goes back through it: one gradient for each input, None where not `wanted`.

    `gradients` are those of the reference's outputs. Where the caller asks for a graph of the gradients (double
    backward), it reaches back to the inputs themselves.
    """
    twice = torch.is_grad_enabled()
    with torch.enable_grad():
        again = [
            tensor if tensor is None or twice else tensor.detach().requires_grad_(need)
            for tensor, need in zip(inputs, wanted, strict=True)
        ]
        outputs = reference(*again)
        pairs = [(o, g) for o, g in zip(outputs, gradients, strict=True) if o is not None and g is not None]
        sources = [tensor for tensor, need in zip(again, wanted, strict=True) if need]
        found = torch.autograd.grad(
            [o for o, _ in pairs], sources, [g for _, g in pairs], allow_unused=True, create_graph=twice
        )
    remaining = iter(found)
    return [next(remaining) if need else None for need in wanted]
