"""Plain PyTorch: the networks as their papers describe them. Everything fast is checked against this."""

from .modules import DTB, GSTA, MMAM, RDB, AttentionMix

__all__ = ["DTB", "GSTA", "MMAM", "RDB", "AttentionMix"]
