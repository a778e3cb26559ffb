"""What the doors to the GPU kernels share: results are allocated, then filled on the device that they are on."""

from collections.abc import Callable, Sequence
from typing import Any

import torch
from torch import Tensor


def first_of(x: Tensor | Sequence[Tensor]) -> Tensor:
    """The first tensor of an operator whose first argument may be several."""
    return x if isinstance(x, Tensor) else x[0]


def body_of(launch: Callable[..., None], outputs: Callable[..., Any]) -> Callable[..., Any]:
    """An operator's body: allocates its `outputs(*arguments)`, and unless they are empty has `launch(results,
    *arguments)` fill them, with the device of the first tensor the current one."""

    def body(x: Tensor | Sequence[Tensor], *rest: Any) -> Any:
        results = outputs(x, *rest)
        first = results[0] if isinstance(results, Sequence) else results
        if first.numel():
            with torch.cuda.device_of(first_of(x)):
                launch(results, x, *rest)
        return results

    return body
