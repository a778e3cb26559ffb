"""A reference network made fast."""

from .accelerate import Acceleration, accelerate

__all__ = ["Acceleration", "accelerate"]
