"""The operators in plain PyTorch: the truth that fused bodies and gradients are held to."""

from .pixel_distribute import pixel_distribute
from .spatial_squeeze import SpatialSqueeze, spatial_squeeze
from .temporal_squeeze import temporal_squeeze

__all__ = ["SpatialSqueeze", "pixel_distribute", "spatial_squeeze", "temporal_squeeze"]
