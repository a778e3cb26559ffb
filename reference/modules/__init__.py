"""The blocks that the networks share."""

from .gsa import GlobalSpatioTemporalAttention
from .mmam import MMAM
from .residual_dense_block import RDB
from .residual_dense_network import ResidualDenseNetwork

__all__ = ["MMAM", "RDB", "GlobalSpatioTemporalAttention", "ResidualDenseNetwork"]
