"""What the doors to the GPU kernels share: results are allocated, then filled on the device that they are on."""

from collections.abc import Callable, Sequence
from typing import Any

import torch
from torch import Tensor


def body_of(launch: Callable[..., None], outputs: Callable[..., Any]) -> Callable[..., Any]:
    """An operator's body: allocates its `outputs(*arguments)`, and unless they are empty has `launch(results,
    *arguments)` fill them, with the device of the first argument the current one."""

    def body(x: Tensor, *rest: Any) -> Any:
        results = outputs(x, *rest)
        first = results[0] if isinstance(results, Sequence) else results
        if first.numel():
            with torch.cuda.device_of(x):
                launch(results, x, *rest)
        return results

    return body
