"""What the kernels' launchers share: blocks, strides, precision."""

from dataclasses import dataclass

import torch
import triton
import triton.language as tl
from torch import Tensor

# Set here and in ahead-of-time compilation: the default changes between releases, and with it the last bits.
FP_FUSION = {"enable_fp_fusion": True}


@dataclass(frozen=True)
class Blocks:
    """One configuration of a kernel: its constexpr block sizes, warps and pipeline stages."""

    sizes: dict[str, int]
    warps: int
    stages: int = 1

    def options(self) -> dict[str, int | bool]:
        return {"num_warps": self.warps, "num_stages": self.stages} | FP_FUSION


def power_of_two(size: int, least: int = 16) -> int:
    """The smallest power of two that holds `size`; tensor cores want at least 16."""
    return max(least, triton.next_power_of_2(size))


def pixel_strides(x: torch.Tensor) -> tuple[int, int, bool]:
    """Row stride, pixel stride, and whether pixels lie evenly across the rows, so that a frame is one long row."""
    row, pixel = x.stride()[-2:]
    height, width = x.shape[-2:]
    if width == 1:
        return row, row, True
    return row, pixel, height == 1 or row == width * pixel


def precision(dtype: torch.dtype) -> str:
    """How tensor cores take float32 operands: bfloat16 and float16 values fit into tf32 as they are; float32 is split
    into three products, for float32 accuracy."""
    return "tf32x3" if dtype == torch.float32 else "tf32"


@triton.jit
def dot_with_frames(b_a, b_x, b_sum, SPLIT: tl.constexpr):
    """b_sum + b_a x b_x, where b_a is float32 and b_x of the frames' type, to float32's accuracy or nearly so.

    SPLIT, for frames of 16 bits: b_a as a sum of two numbers of their type, of which all products are exact; what is
    lost of b_a is 2 ** -17 of it or less. Else all is float32, as three products of tf32.
    """
    if SPLIT:
        b_high = b_a.to(b_x.dtype)
        b_low = (b_a - b_high.to(tl.float32)).to(b_x.dtype)
        b_sum = tl.dot(b_low, b_x, acc=b_sum)
        b_sum = tl.dot(b_high, b_x, acc=b_sum)
    else:
        b_sum = tl.dot(b_a, b_x.to(tl.float32), acc=b_sum, input_precision="tf32x3")
    return b_sum


def splits_frames(x: Tensor) -> bool:
    """Whether products with these frames are split; the interpreter neither multiplies bfloat16 nor rounds to it."""
    return x.dtype == torch.float16 or (x.dtype == torch.bfloat16 and x.is_cuda)


def processors(device: torch.device) -> int:
    """Multiprocessors of a GPU; 1 in the interpreter."""
    return torch.cuda.get_device_properties(device).multi_processor_count if device.type == "cuda" else 1
