"""The operators: one `torch.library` op each, with fused bodies, and plain PyTorch elsewhere."""

from .dispatch import explain, use_backend
from .pixel_distribute import pixel_distribute
from .spatial_squeeze import SpatialSqueeze, spatial_squeeze
from .temporal_squeeze import temporal_squeeze

__all__ = [
    "SpatialSqueeze",
    "explain",
    "pixel_distribute",
    "spatial_squeeze",
    "temporal_squeeze",
    "use_backend",
]
