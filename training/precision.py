"""Which device to train on, and in which arithmetic."""

import torch

from vdeblur_fast.errors import UserError

PRECISIONS = ("auto", "fp32", "bf16")


def choose_device(name: str = "auto", local_rank: int = 0) -> torch.device:
    """The device of that name; for "auto" the GPU if there is one, else the CPU. Of several processes on a
    machine each takes a GPU of its own.

    Raises UserError for a device that is not there.
    """
    if name == "auto":
        name = "cuda" if torch.cuda.is_available() else "cpu"
    try:
        device = torch.device(name)
    except RuntimeError as error:
        raise UserError(f"--device {name} is not a device; choose auto, cpu, cuda or cuda:N") from error
    if device.type not in ("cpu", "cuda"):
        raise UserError(f"--device {name} is not supported; choose auto, cpu, cuda or cuda:N")
    if device.type == "cuda":
        found = torch.cuda.device_count()
        index = local_rank if device.index is None else device.index
        if index >= found:
            raise UserError(f"--device {name} needs GPU number {index}, and {found} are here; choose --device cpu")
        device = torch.device("cuda", index)
    return device


def fast_in_bf16(device: torch.device) -> bool:
    """Whether the device multiplies bfloat16 faster than float32, rather than emulating it."""
    if device.type == "cuda":
        return torch.cuda.get_device_capability(device) >= (8, 0)
    probes = ("_is_avx512_bf16_supported", "_is_amx_tile_supported")
    return any(getattr(torch.cpu, probe, lambda: False)() for probe in probes)


def choose_precision(name: str, device: torch.device) -> torch.dtype:
    """The dtype of the forward pass; weights, losses and the optimizer are float32 always."""
    if name not in PRECISIONS:
        raise UserError(f"--precision {name} is unknown; choose one of {', '.join(PRECISIONS)}")
    if name == "auto":
        name = "bf16" if fast_in_bf16(device) else "fp32"
    return torch.bfloat16 if name == "bf16" else torch.float32
