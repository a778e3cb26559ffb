"""The blocks that the networks share."""

from .attention_mix import AttentionMix
from .dtb import DTB
from .frame_summary import FrameSummary
from .gsa import GlobalSpatioTemporalAttention
from .gsta import GSTA
from .joining_conv import JoiningConv2d
from .mmam import MMAM
from .non_local import NonLocal
from .residual_dense_block import RDB
from .residual_dense_network import ResidualDenseNetwork
from .strided_conv import StridedConv2d
from .upsample_concat import UpsampleConcat

__all__ = [
    "DTB",
    "GSTA",
    "MMAM",
    "RDB",
    "AttentionMix",
    "FrameSummary",
    "GlobalSpatioTemporalAttention",
    "JoiningConv2d",
    "NonLocal",
    "ResidualDenseNetwork",
    "StridedConv2d",
    "UpsampleConcat",
]
