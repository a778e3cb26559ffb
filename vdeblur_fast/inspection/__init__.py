"""What a network sees: the maps behind its images, as pictures and a page of them.

The maps are those of the plain reference network; where a fused one computes, they never exist.
"""

from .figures import Figure, Table
from .inspector import Inspector, Sight

__all__ = ["Figure", "Inspector", "Sight", "Table"]
