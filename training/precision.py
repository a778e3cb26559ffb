"""Which device to train on, and in which arithmetic: the package's choice, but for what training has of its own."""

import torch

from vdeblur_fast import device as package
from vdeblur_fast.errors import UserError

PRECISIONS = ("auto", "fp32", "bf16")


def choose_device(name: str = "auto", local_rank: int = 0) -> torch.device:
    """The device of that name; of several processes on a machine each takes a GPU of its own.

    Raises DeviceError for a device that is not there.
    """
    device = package.choose_device(name)
    own = device.type == "cuda" and device.index is None
    return package.choose_device(f"cuda:{local_rank}") if own else device


def choose_precision(name: str, device: torch.device, finely: bool = False) -> torch.dtype:
    """The dtype of the forward pass; weights, losses and the optimizer are float32 always. Never float16, in which
    small gradients vanish. finely: for a network that runs in more than bfloat16: what is trained in that fits its
    rounding, and is worse without it.

    Raises UserError for another name.
    """
    if name not in PRECISIONS:
        raise UserError(f"--precision {name} is not for training; choose one of {', '.join(PRECISIONS)}")
    chosen = package.choose_precision(device, name, finely)
    return torch.float32 if chosen == torch.float16 else chosen
