"""Drop-in modules: the reference's names, constructors and parameters, with fused bodies."""

from .gsta import GSTA, FrameSummary

__all__ = ["GSTA", "FrameSummary"]
