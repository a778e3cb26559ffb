"""The operators in plain PyTorch: the truth that fused bodies and gradients are held to."""

from .attention_mix import attention_mix
from .convolution import convolution
from .motion_attention import motion_attention
from .pixel_distribute import pixel_distribute
from .residual_dense_block import residual_dense_block
from .spatial_squeeze import SpatialSqueeze, spatial_squeeze
from .temporal_blend import temporal_blend
from .temporal_squeeze import temporal_squeeze
from .upsample_concat import upsample_concat

__all__ = [
    "SpatialSqueeze",
    "attention_mix",
    "convolution",
    "motion_attention",
    "pixel_distribute",
    "residual_dense_block",
    "spatial_squeeze",
    "temporal_blend",
    "temporal_squeeze",
    "upsample_concat",
]
