"""The door to the native CPU module: tensors in, addresses out. Only the operators come through here."""

from functools import cache
from importlib import import_module
from types import ModuleType

import torch

CPU = torch.device("cpu")
TYPES = {torch.float32: 0, torch.bfloat16: 1}  # csrc/cpu/ops.h, enum Type


@cache
def _load() -> tuple[ModuleType | None, str]:
    try:
        return import_module("vdeblur_fast._cpu"), ""
    except ImportError as error:
        return None, f"the native module is not installed ({error}); reinstall with a C++ compiler at hand"


def module() -> ModuleType:
    """vdeblur_fast._cpu. Raises RuntimeError where it was not built."""
    found, reason = _load()
    if found is None:
        raise RuntimeError(reason)
    return found


def why_not(x: torch.Tensor) -> list[str]:
    """Why the native module cannot work on this tensor, if it cannot."""
    reasons = [] if _load()[0] is not None else [_load()[1]]
    if x.device.type != "cpu":
        reasons.append(f"works on CPU tensors, got {x.device}")
    if x.dtype not in TYPES:
        reasons.append(f"takes float32 and bfloat16, got {str(x.dtype).removeprefix('torch.')}")
    return reasons


def floats(count: int) -> torch.Tensor:
    """Memory for so many of the kernels' numbers, whatever dtype and device are PyTorch's defaults."""
    return torch.empty(count, dtype=torch.float32, device=CPU)


def layout(x: torch.Tensor, turn: bool = True) -> tuple[int, list[int], list[int]]:
    """Type, sizes and strides of frames (B, T, C, H, W) or (B, C, H, W) in any memory order.

    turn: a column may be taken for a row; not where an operator looks at neighbours.
    """
    if x.dim() == 4:
        x = x.unsqueeze(1)
    sizes, strides = list(x.shape), list(x.stride())
    if turn and sizes[4] == 1:  # a column: the kernels are quickest along a row
        sizes[3:], strides[3:] = [1, sizes[3]], [strides[3] * sizes[3], strides[3]]
    return TYPES[x.dtype], sizes, strides


def channels_side_by_side(x: torch.Tensor) -> torch.Tensor:
    """The tensor itself where a pixel's channels are neighbours in memory, else a copy in which they are."""
    return x if x.stride(1) == 1 else x.contiguous(memory_format=torch.channels_last)


def channels_apart(x: torch.Tensor) -> torch.Tensor:
    """A contiguous copy of frames whose channels are side by side: by transposing matrices, which takes PyTorch a third
    of the time that `contiguous` does."""
    y = torch.empty(x.shape, dtype=x.dtype, device=CPU)
    for frame, copy in zip(x, y, strict=True):
        copy.flatten(1).copy_(frame.permute(1, 2, 0).flatten(0, 1).t())
    return y


def readable(tensor: torch.Tensor) -> torch.Tensor:
    """The tensor itself where the kernels know its type, else a float32 copy."""
    return tensor if tensor.dtype in TYPES else tensor.to(torch.float32)


def plain(tensor: torch.Tensor | None) -> torch.Tensor | None:
    """float32, contiguous: how the kernels take everything but frames. Copies only what is otherwise."""
    if tensor is not None and tensor.dtype == torch.float32 and tensor.is_contiguous():
        return tensor
    return None if tensor is None else tensor.detach().to(torch.float32).contiguous()


def launch(operator: str, *arguments: torch.Tensor | tuple | list | int | None) -> None:
    """Calls the operator's native body, with as many threads as PyTorch uses; a workspace that is not small is of
    PyTorch's allocator."""
    body = getattr(module(), operator)
    addresses = [
        given.data_ptr() if isinstance(given, torch.Tensor) else 0 if given is None else given for given in arguments
    ]
    threads = torch.get_num_threads()
    if needed := body(*addresses, threads, 0):
        workspace = floats(needed)
        body(*addresses, threads, workspace.data_ptr())
