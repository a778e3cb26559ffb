"""Which GPUs the kernels are for."""

from functools import cache

import torch

LEAST_CAPABILITY = (8, 0)  # before it Triton multiplies without tensor cores, and CUDA C++ has no such instructions


@cache
def why_not_on(device: torch.device) -> str:
    """Why no kernel runs on this GPU; "" where they do."""
    found = torch.cuda.get_device_capability(device)
    if found < LEAST_CAPABILITY:
        return "needs a GPU of compute capability {}.{} or newer, got {}.{}".format(*LEAST_CAPABILITY, *found)
    return ""
