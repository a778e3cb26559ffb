"""Drop-in modules: the reference's names, constructors and parameters, with fused bodies."""

from .attention_mix import AttentionMix
from .dtb import DTB
from .gsta import GSTA, FrameSummary
from .mmam import MMAM
from .residual_dense_block import RDB
from .upsample_concat import UpsampleConcat

__all__ = ["DTB", "FUSED", "GSTA", "MMAM", "RDB", "AttentionMix", "FrameSummary", "UpsampleConcat"]

# reference module -> the one that takes its place: the same, with a fused forward
FUSED: dict[type, type] = {kind.__base__: kind for kind in (AttentionMix, DTB, GSTA, MMAM, RDB, UpsampleConcat)}
