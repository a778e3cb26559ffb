"""Where a network runs and in which numbers: what was asked for, or what is fastest here."""

import warnings

import torch

from .errors import DeviceError

PRECISIONS = {"fp32": torch.float32, "bf16": torch.bfloat16, "fp16": torch.float16}


def choose_device(name: str | torch.device = "auto") -> torch.device:
    """ "auto" is the first GPU where there is one, else the CPU.

    Raises DeviceError for a name torch does not know and for a device this machine does not have.
    """
    if name == "auto":
        return torch.device("cuda" if torch.cuda.is_available() else "cpu")
    try:
        device = torch.device("cuda" if name == "gpu" else name)
    except RuntimeError as error:
        raise DeviceError(f'unknown device {name!r}; use "auto", "cpu", "cuda" or "cuda:1"') from error
    if device.type == "cuda":
        found = torch.cuda.device_count()
        if not found:
            raise DeviceError(f'device {str(name)!r} was asked for but torch finds no GPU here; use "cpu" or "auto"')
        if (device.index or 0) >= found:
            raise DeviceError(f"device {str(name)!r} was asked for but torch finds {found} GPU(s), numbered from 0")
    elif device.type != "cpu":
        raise DeviceError(f'device {str(name)!r} is not supported; use "auto", "cpu" or "cuda"')
    return device


def cpu_is_fast_at(precision: str) -> bool:
    """Whether the CPU multiplies in this precision natively; emulated it is a hundred times slower than float32."""
    if precision == "bf16":
        probes = ("_is_avx512_bf16_supported", "_is_amx_tile_supported")  # PyTorch's own; not every release has both
        return any(getattr(torch.cpu, probe, bool)() for probe in probes)
    return precision == "fp32"


def choose_precision(device: torch.device, name: str = "auto", finely: bool = False) -> torch.dtype:
    """ "auto": bfloat16 on a GPU of compute capability 8 or more and on a CPU that multiplies in it, float16 on older
    GPUs with tensor cores, else float32. finely: for what the eight bits of bfloat16 are too few: never that.

    Raises DeviceError for an unknown name; warns where the precision asked for is emulated.
    """
    if name != "auto":
        if name not in PRECISIONS:
            raise DeviceError(f'unknown precision {name!r}; use "auto", {", ".join(map(repr, PRECISIONS))}')
        if device.type == "cpu" and not cpu_is_fast_at(name):
            warnings.warn(f"this CPU emulates {name} and will be very slow; fp32 is faster here", stacklevel=3)
        return PRECISIONS[name]
    if device.type == "cuda":
        major, _ = torch.cuda.get_device_capability(device)
        return torch.bfloat16 if major >= 8 and not finely else torch.float16 if major >= 7 else torch.float32
    if device.type == "cpu" and cpu_is_fast_at("bf16") and not finely:
        return torch.bfloat16
    return torch.float32
