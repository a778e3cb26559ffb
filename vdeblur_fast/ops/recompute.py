"""Gradients of an operator whose fused body kept nothing but its inputs."""

from collections.abc import Callable, Sequence
from typing import Any

import torch


def register_recompute(operator: str, reference: Callable[..., Any], library: torch.library.Library) -> None:
    """Gives the operator the gradients of `reference`, which takes the same arguments.

    Tensors, or None in their place, come first among the arguments and settings last.
    """

    def keep(ctx: Any, inputs: tuple[Any, ...], output: Any) -> None:
        tensors = [given for given in inputs if given is None or isinstance(given, torch.Tensor)]
        ctx.save_for_backward(*tensors)
        ctx.settings = inputs[len(tensors) :]

    def backward(ctx: Any, *gradients: torch.Tensor | None) -> tuple[torch.Tensor | None, ...]:
        def again(*tensors: torch.Tensor | None) -> Sequence[torch.Tensor | None]:
            results = reference(*tensors, *ctx.settings)
            return results if isinstance(results, tuple) else (results,)

        saved = ctx.saved_tensors  # asked for once: with activation checkpointing they can be had no second time
        found = recompute_gradients(again, saved, ctx.needs_input_grad[: len(saved)], gradients)
        return *found, *(None for _ in ctx.settings)

    torch.library.register_autograd(operator, backward, setup_context=keep, lib=library)


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
        # a result may depend on nothing that wants a gradient, though it gets one because another does
        pairs = [
            (o, g)
            for o, g in zip(outputs, gradients, strict=True)
            if o is not None and g is not None and o.requires_grad
        ]
        sources = [tensor for tensor, need in zip(again, wanted, strict=True) if need]
        found = torch.autograd.grad(
            [o for o, _ in pairs], sources, [g for _, g in pairs], allow_unused=True, create_graph=twice
        )
    remaining = iter(found)
    return [next(remaining) if need else None for need in wanted]
