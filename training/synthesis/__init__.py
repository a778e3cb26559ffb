"""Blur synthesis: pairs of blurry and sharp clips, with their motion, from sharp stills and sharp clips."""

from .dataset import SynthesisDataset
from .sheet import contact_sheet
from .shutter import Shutter
from .validation import write_validation
from .video import synthesize_video

__all__ = ["Shutter", "SynthesisDataset", "contact_sheet", "synthesize_video", "write_validation"]
