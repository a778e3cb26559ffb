"""The operators in plain PyTorch: what every fused body is checked against, and what gradients are recomputed through."""

from .pixel_distribute import pixel_distribute
from .spatial_squeeze import SpatialSqueeze, spatial_squeeze
from .temporal_squeeze import temporal_squeeze

__all__ = ["SpatialSqueeze", "pixel_distribute", "spatial_squeeze", "temporal_squeeze"]
