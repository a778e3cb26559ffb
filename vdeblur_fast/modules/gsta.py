"""Gated spatio-temporal attention on the fused operators."""

from .. import ops
from ..reference.modules.frame_summary import FrameSummary
from ..reference.modules.gsta import GSTA as ReferenceGSTA

__all__ = ["GSTA", "FrameSummary"]


class GSTA(ReferenceGSTA):
    """`vdeblur_fast.reference.GSTA` with each of its three steps in one pass over memory; same parameters, same values.

    x (B, T, channels, H, W) in float32, bfloat16 or float16 -> y (B, channels, H, W) of the same dtype. Beside its
    result it writes nothing as large as a frame. `squeeze` and `distribute` stream: each frame is squeezed once, and
    an output frame costs one squeeze and one distribution however many frames it looks at.

        attention = vdeblur_fast.GSTA(64, spatial_maps=16)
        summaries = collections.deque(maxlen=5)
        for features in stream:
            summaries.append(attention.squeeze(features))
            y = attention.distribute(features, summaries)
    """

    ops = ops
