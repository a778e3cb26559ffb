"""From the frames people have to the tensors networks want, and back to the same kind."""

from dataclasses import dataclass
from typing import Literal

import numpy as np
import torch

from ..errors import NotFinite

Frame = np.ndarray | torch.Tensor

FULL_SCALE = {torch.uint8: 255.0, torch.uint16: 65535.0}
FLOATS = (torch.float32, torch.float16, torch.bfloat16, torch.float64)


@dataclass(frozen=True)
class FrameFormat:
    """How a frame came: what is needed to give its sharp version back in the same way."""

    array: bool  # numpy, else torch
    dtype: torch.dtype
    device: torch.device
    layout: Literal["HWC", "CHW"]

    @classmethod
    def of(cls, frame: Frame) -> "FrameFormat":
        """Raises TypeError or ValueError, with one sentence, for what is not an RGB frame."""
        if not isinstance(frame, (np.ndarray, torch.Tensor)):
            raise TypeError(f"a frame must be a numpy array or a torch tensor, got {type(frame).__name__}")
        array = isinstance(frame, np.ndarray)
        shape = tuple(frame.shape)
        if len(shape) != 3 or 3 not in (shape[0], shape[2]) or not all(shape):
            raise ValueError(
                f"a frame must be RGB, (H, W, 3) or (3, H, W), got shape {shape}; "
                "convert grey frames to three channels and drop the alpha channel"
            )
        ambiguous = shape[0] == shape[2] == 3
        layout = ("HWC" if array else "CHW") if ambiguous else ("HWC" if shape[2] == 3 else "CHW")
        try:
            dtype = torch.from_numpy(np.empty(0, frame.dtype)).dtype if array else frame.dtype
        except (TypeError, ValueError):  # a kind of number, or an order of its bytes, that PyTorch has not
            dtype = None
        if dtype not in FULL_SCALE and dtype not in FLOATS:
            raise TypeError(f"a frame must be uint8, uint16 or floating point in 0..1, got {frame.dtype}")
        return cls(array, dtype, torch.device("cpu") if array else frame.device, layout)

    def to_tensor(self, frame: Frame, device: torch.device) -> torch.Tensor:
        """-> (1, 3, H, W) float32 in 0..1 on `device`.

        Raises ValueError where a floating-point frame is not finite or plainly not in 0..1.
        """
        # One frame of a batch from the start: strides that PyTorch knows as channels last, and need not put in order.
        x = (torch.from_numpy(_writeable(frame)) if self.array else frame.detach())[None]
        if self.layout == "HWC":
            x = x.permute(0, 3, 1, 2)
        scale = FULL_SCALE.get(self.dtype)
        # It moves as it is: the GPU converts faster than the CPU, and eight bits travel faster than 32. A copy in any
        # case: the caller may fill the same array with the next frame.
        x = x.to(device).to(torch.float32, copy=True)
        if scale is not None:
            return x.div_(scale)
        low, high = x.aminmax()
        if not (low >= -1 and high <= 2):
            raise ValueError(
                f"a floating-point frame must be in 0..1, got values from {low:.4g} to {high:.4g}; "
                "divide by the white level, or pass uint8 or uint16"
            )
        return x

    def to_frame(self, image: torch.Tensor) -> Frame:
        """image (1, 3, H, W) float32 -> a frame of this format; integer formats are clamped and rounded.

        Raises NotFinite where an integer cannot hold the image, for it has values that are no numbers.
        """
        scale = FULL_SCALE.get(self.dtype)
        x = image[0]
        if scale is not None:
            if not x.sum().isfinite():
                raise NotFinite(
                    "the network gives values that are not finite (NaN), so there is no image; use other weights, or "
                    "precision fp32"
                )
            x = x.clamp(0, 1).mul_(scale).round_()
        if self.dtype == torch.uint16:
            x = x.to(torch.int32)  # torch has few kernels for uint16
        x = x.to(self.dtype)
        if self.layout == "HWC":
            x = x.permute(1, 2, 0)
        x = x.contiguous().to(self.device)  # last, for the same reasons
        return x.numpy() if self.array else x


def ordinary(frames: list[Frame]) -> list[Frame]:
    """Copies of the tensors that were made in inference mode, which PyTorch would let nobody change or learn from."""
    return [x.clone() if isinstance(x, torch.Tensor) and x.is_inference() else x for x in frames]


def _writeable(frame: np.ndarray) -> np.ndarray:
    """In C order; a copy where PyTorch would warn of an array that must not be written to, which nobody does."""
    frame = np.ascontiguousarray(frame)
    return frame if frame.flags.writeable else frame.copy()
