"""What a sample has beyond a shaken still with objects: which kinds there are, and how often."""

from dataclasses import dataclass

import numpy as np

_ROWS = (360, 1080)  # of the frames that training crops are taken for, in which a rolling shutter reads


@dataclass(frozen=True)
class Kind:
    """What is special about one clip; by default nothing.

    Attributes:
        rolling: frames of time between the reading of the first row and of the last: a rolling shutter.
        nearness: how many times nearer than the scene each layer before it stands, the farthest first; they do not
            move by themselves, and the camera shifts more than it turns: parallax. With none there are objects that
            move.
        soft: pixels of the disc out of focus that the scene has, in the target too.
        soft_front: of what stands before the scene.
        hunting: largest disc out of focus, in pixels, of a lens that hunts for its focus; the target is in focus.
        headroom: light of the brightest pixels of a picture, of which 1 is what the sensor holds; the rest is clipped
            after the blur.
        lamps: small lamps, brighter than that, in a part of the scene as large as a frame.
        blur: mean pixels of smear from the camera, instead of the usual.
        longest: pixels that the camera smears at most.
        zoom: times that the scene is enlarged at most: what a soft lens or a digital zoom shows has no detail as fine
            as a pixel, in the target either.
        lively: objects come in any clip, where usually one in eight is nearly sharp and without.
        sharp: the exposure takes no time: nothing to do but to leave the clip alone, noise and compression aside.
    """

    rolling: float = 0.0
    nearness: tuple[float, ...] = ()
    soft: float = 0.0
    soft_front: float = 0.0
    hunting: float = 0.0
    headroom: float = 1.0
    lamps: int = 0
    blur: float | None = None
    longest: float = 26.0
    zoom: float = 1.0
    lively: bool = False
    sharp: bool = False

    def __str__(self) -> str:
        """Such as "rolling + lamps"; "plain" for nothing special."""
        names = {
            "rolling": self.rolling,
            "parallax": self.nearness,
            "depth": self.soft or self.soft_front,
            "hunting": self.hunting,
            "highlights": self.headroom > 1,
            "lamps": self.lamps,
            "long": self.longest > PLAIN.longest,
            "zoom": self.zoom > 1,
            "sharp": self.sharp,
        }
        return " + ".join(name for name, there in names.items() if there) or "plain"


PLAIN = Kind()


@dataclass(frozen=True)
class Variety:
    """The chance that a sample has each of the kinds, which may come together; highlights and sharp come with clips as
    well."""

    rolling: float = 0.3
    parallax: float = 0.2
    depth: float = 0.06
    hunting: float = 0.06
    highlights: float = 0.3
    lamps: float = 0.08
    long: float = 0.2
    sharp: float = 0.1
    zoom: float = 0.25

    def __post_init__(self) -> None:
        for name, chance in vars(self).items():
            if not 0 <= chance <= 1:
                raise ValueError(f"Variety: {name} must be a chance in [0, 1], got {chance}")

    def draw(self, rng: np.random.Generator, size: tuple[int, int]) -> Kind:
        """The kind of one clip of `size` (height, width)."""
        named = vars(self)
        has = dict(zip(named, rng.random(len(named)) < list(named.values()), strict=True))
        rows = max(rng.uniform(*_ROWS), size[0])
        readout, soft, in_front = rng.uniform(0.3, 1), rng.uniform(1, 4), rng.random() < 0.4
        nearness = tuple(np.sort(rng.uniform(1.3, 4, 2)).tolist())
        hunting, headroom = rng.uniform(1, 3), 10 ** rng.uniform(0.2, 1.2)
        lamps, blur = int(rng.integers(3, 13)), rng.uniform(12, 40)
        zoom = rng.uniform(1.5, 4)
        return Kind(
            rolling=readout * size[0] / rows if has["rolling"] else 0.0,
            nearness=nearness if has["parallax"] else (),
            soft=soft if has["depth"] and not in_front else 0.0,
            soft_front=soft if has["depth"] and in_front else 0.0,
            hunting=hunting if has["hunting"] else 0.0,
            headroom=headroom if has["highlights"] else 1.0,
            lamps=lamps if has["lamps"] else 0,
            blur=blur if has["long"] else None,
            longest=40.0 if has["long"] else PLAIN.longest,
            zoom=zoom if has["zoom"] else 1.0,
            sharp=bool(has["sharp"]),
        )
