"""The blocks that the networks share."""

from .frame_summary import FrameSummary
from .gsa import GlobalSpatioTemporalAttention
from .gsta import GSTA
from .mmam import MMAM
from .non_local import NonLocal
from .residual_dense_block import RDB
from .residual_dense_network import ResidualDenseNetwork

__all__ = [
    "GSTA",
    "MMAM",
    "RDB",
    "FrameSummary",
    "GlobalSpatioTemporalAttention",
    "NonLocal",
    "ResidualDenseNetwork",
]
