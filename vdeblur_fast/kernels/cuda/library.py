"""The native CUDA library: a plain shared library beside the package, found and called with ctypes.

It knows nothing of Python or torch and carries the CUDA runtime within, so it loads where there is neither a GPU nor a
driver; what is missing there it says when it is called.
"""

import ctypes
from collections.abc import Sequence
from functools import cache
from importlib.util import find_spec

import torch
from torch import Tensor

from ..capability import why_not_on

TYPES = {torch.bfloat16: 1, torch.float16: 2}  # csrc/cuda/device.cuh, enum Type


@cache
def _load() -> tuple[ctypes.CDLL | None, str]:
    spec = find_spec("vdeblur_fast._cuda")
    if spec is None or spec.origin is None:
        return None, "the CUDA module is not installed; reinstall with nvcc at hand"
    try:
        return ctypes.CDLL(spec.origin), ""
    except OSError as error:
        return None, f"the CUDA module cannot be loaded ({error})"


def library() -> ctypes.CDLL:
    """The library. Raises RuntimeError where it was not built."""
    found, reason = _load()
    if found is None:
        raise RuntimeError(reason)
    return found


def why_not(x: Tensor) -> str:
    """Why no kernel of the library can work on this tensor; "" where they can."""
    if x.device.type != "cuda":
        return "works on CUDA tensors, got " + x.device.type
    if _load()[0] is None:
        return _load()[1]
    if too_old := why_not_on(x.device):
        return too_old
    if x.dtype not in TYPES:
        return f"takes bfloat16 and float16, got {str(x.dtype).removeprefix('torch.')}"
    return ""


def workspace_bytes(operator: str, *sizes: int) -> int:
    """What the operator's kernels need beside their arguments; -1 where the current device cannot run them."""
    body = getattr(library(), f"vdeblur_{operator}_workspace")
    body.restype = ctypes.c_int64
    return body(*map(ctypes.c_int64, sizes))


def workspace(like: Tensor, operator: str, *sizes: int) -> Tensor:
    return torch.empty(workspace_bytes(operator, *sizes), dtype=torch.uint8, device=like.device)


def launch(operator: str, x: Tensor, *arguments: Tensor | Sequence[Tensor] | int | None) -> None:
    """Calls the operator's launcher on the current stream: the type of x, x, the other arguments, the stream.

    Raises RuntimeError with what CUDA says.
    """
    body = getattr(library(), f"vdeblur_{operator}")
    body.restype = ctypes.c_char_p
    stream = torch.cuda.current_stream().cuda_stream if x.is_cuda else None
    given = [_native(argument) for argument in (TYPES[x.dtype], x, *arguments)]
    if error := body(*given, ctypes.c_void_p(stream)):
        raise RuntimeError(f"{operator}: {error.decode()}")


def _native(argument: Tensor | Sequence[Tensor] | int | None) -> ctypes.c_void_p | ctypes.c_int64 | ctypes.Array:
    if isinstance(argument, int):
        return ctypes.c_int64(argument)
    if isinstance(argument, Sequence):
        return (ctypes.c_void_p * len(argument))(*(tensor.data_ptr() for tensor in argument))
    return ctypes.c_void_p(None if argument is None else argument.data_ptr())


def channels_last(frames: Tensor) -> Tensor:
    """Frames (B, C, H, W) with a pixel's channels together; copies only what lies otherwise."""
    return frames.contiguous(memory_format=torch.channels_last)


def filled(result: Tensor, fill) -> None:
    """Calls `fill` with `result`, or, where its channels do not lie together, with a tensor to copy into it."""
    if result.is_contiguous(memory_format=torch.channels_last):
        fill(result)
    else:
        own = torch.empty_like(result, memory_format=torch.channels_last)
        fill(own)
        result.copy_(own)
