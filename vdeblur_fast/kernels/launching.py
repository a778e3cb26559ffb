"""What the kernels' launchers share: blocks, strides, precision."""

from dataclasses import dataclass

import torch
import triton

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


def processors(device: torch.device) -> int:
    """Multiprocessors of a GPU; 1 in the interpreter."""
    return torch.cuda.get_device_properties(device).multi_processor_count if device.type == "cuda" else 1
