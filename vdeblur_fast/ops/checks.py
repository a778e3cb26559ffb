"""What every operator asks of its arguments, and how it says what is wrong.

Plain loops: a small operator takes little longer than its checks.
"""

import torch


def check_shape(operator: str, name: str, tensor: torch.Tensor, wanted: dict[str, int | None]) -> None:
    """Raises ValueError unless the tensor has the sizes `wanted` gives by letter; None is any size."""
    sizes = tensor.shape
    if len(sizes) == len(wanted):
        for size, got in zip(wanted.values(), sizes, strict=True):
            if size is not None and size != got:
                break
        else:
            return
    shape = ", ".join(letter if size is None else str(size) for letter, size in wanted.items())
    raise ValueError(f"{operator}: {name} must be ({shape}{',' * (len(wanted) == 1)}), got {tuple(sizes)}")


def check_pixels(operator: str, x: torch.Tensor, name: str = "x") -> None:
    """Raises ValueError for frames without a pixel."""
    if not x.shape[-1] or not x.shape[-2]:
        raise ValueError(f"{operator}: {name} must have at least one pixel, got {tuple(x.shape)}")


def check_some(operator: str, name: str, tensor: torch.Tensor, axis: int, what: str) -> None:
    """Raises ValueError where the tensor has none of what that axis holds."""
    if not tensor.shape[axis]:
        raise ValueError(f"{operator}: {name} must have at least one {what}, got {tuple(tensor.shape)}")


def check_kernel(operator: str, weight: torch.Tensor) -> None:
    """Raises ValueError unless a convolution's weight (O, I, k, k') is square and odd."""
    rows, columns = weight.shape[2:]
    if rows != columns or rows % 2 == 0:
        raise ValueError(
            f"{operator}: weight must be square and odd, so that a pixel is in the middle, got {rows}x{columns}"
        )


def check_together(operator: str, **tensors: torch.Tensor | None) -> None:
    """Raises TypeError unless all are floating point, ValueError unless all are on the device of the first."""
    first, device = None, None
    for name, tensor in tensors.items():
        if tensor is None:
            continue
        if not tensor.is_floating_point():
            raise TypeError(f"{operator}: {name} must be floating point, got {tensor.dtype}")
        if device is None:
            first, device = name, tensor.device
        elif tensor.device != device:
            raise ValueError(f"{operator}: {name} is on {tensor.device} and {first} on {device}; move one of them")
