"""One short clip of every kind of blur: what a network is measured on."""

from dataclasses import dataclass

import numpy as np

from .degrade import Degradation, stored
from .response import Response
from .stills import shaken_clip
from .variety import PLAIN, Kind

NOTHING, SRGB = Degradation(), Response()

Pairs = tuple[np.ndarray, np.ndarray]  # blurry and sharp (T, H, W, 3) uint8


@dataclass(frozen=True)
class Shot:
    """How a kind is filmed: mean smear of the camera in pixels, open part of a frame's time, layers before the scene,
    the special, the file, the camera."""

    blur: float = 8.0
    duty: float = 0.5
    layers: int = 0
    kind: Kind = PLAIN
    degradation: Degradation = NOTHING
    response: Response = SRGB


SHOTS = {
    "depth": Shot(6, layers=1, kind=Kind(soft=3.0, lively=True)),
    "h264": Shot(degradation=Degradation(h264=26)),
    "highlights": Shot(10, kind=Kind(headroom=8.0)),
    "hunting": Shot(4, kind=Kind(hunting=2.0)),
    "jpeg": Shot(degradation=Degradation(jpeg=70)),
    "lamps": Shot(10, kind=Kind(lamps=8)),
    "long": Shot(26, duty=0.8, kind=Kind(longest=40.0)),
    "noise": Shot(degradation=Degradation.noise(5.0, SRGB)),
    "objects": Shot(2, layers=2, kind=Kind(lively=True)),
    "parallax": Shot(10, layers=2, kind=Kind(nearness=(1.6, 3.0))),
    "response": Shot(response=Response(0.3, 2.4, 0.25)),
    "rolling": Shot(kind=Kind(rolling=0.7)),
    "shake": Shot(),
    "sharp": Shot(0.05, duty=0.01),
    "short": Shot(3, duty=0.15),
    "mpeg4": Shot(degradation=Degradation(mpeg4=8)),
    "phone": Shot(16, kind=Kind(zoom=3.0, longest=40.0), degradation=Degradation(mpeg4=6)),
}


def filmed(
    shot: Shot, pictures: list[np.ndarray], rng: np.random.Generator, frames: int, size: tuple[int, int]
) -> Pairs:
    """The first picture is the scene; of the others as many stand before it as the shot has layers."""
    response = shot.response.with_headroom(shot.kind.headroom) if shot.kind.headroom > 1 else shot.response
    chosen = pictures[: 1 + shot.layers]
    clip = shaken_clip(chosen, rng, response, frames, size, shot.blur, 0, shot.duty, shot.kind)
    return shot.degradation.apply(clip.blurry, response, rng), stored(clip.sharp, response)
