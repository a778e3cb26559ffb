"""The operators: one `torch.library` op each, with fused bodies, and plain PyTorch elsewhere.

Autocast, and the default dtype and device, change nothing of what they give. Gradients are those of the reference,
forward-mode ones by computing with it; the transforms of `torch.func` but `jvp` are for the reference itself.
"""

from .attention_mix import attention_mix
from .convolution import convolution
from .dispatch import explain, use_backend
from .fused import why_not_fused
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
    "explain",
    "motion_attention",
    "pixel_distribute",
    "residual_dense_block",
    "spatial_squeeze",
    "temporal_blend",
    "temporal_squeeze",
    "upsample_concat",
    "use_backend",
    "why_not_fused",
]
