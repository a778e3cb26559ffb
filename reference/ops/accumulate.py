"""The type in which statistics, sums and means are kept."""

import torch


def accumulation_dtype(dtype: torch.dtype) -> torch.dtype:
    """float32 for float32 and everything narrower, float64 for float64."""
    return torch.promote_types(dtype, torch.float32)
