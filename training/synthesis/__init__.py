"""Blur synthesis: pairs of blurry and sharp clips, with their motion, from sharp stills and sharp clips."""

from .dataset import SynthesisDataset
from .sheet import contact_sheet
from .shutter import Shutter
from .validation import write_validation
from .variety import Variety
from .video import synthesize_video

__all__ = ["Shutter", "SynthesisDataset", "Variety", "contact_sheet", "synthesize_video", "write_validation"]
