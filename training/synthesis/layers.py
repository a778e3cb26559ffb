"""Textured planes: the scene, and softly matted objects before it that move on their own and occlude."""

from dataclasses import dataclass, replace

import cv2
import numpy as np

from .response import Response
from .shake import ShakePath, grid_points, project, random_path, with_blur

# Textures are kept at twice the scale of the frames: bilinear sampling then costs hardly any sharpness.
OVERSAMPLING = 2
_TRIES = 4
_TEXTURED = 30  # deviation of the 8-bit values; a plain sky or wall teaches little about blur


@dataclass(frozen=True)
class Plane:
    """A textured plane.

    Attributes:
        texture: (h, w, 4) float32 linear light RGB times alpha, and alpha, at OVERSAMPLING times the frame's
            scale.
        corner: (x, y) in scene pixels of the texture's first pixel.
    """

    texture: np.ndarray
    corner: tuple[float, float]

    def sampling(self, homographies: np.ndarray) -> np.ndarray:
        """Homographies from frame to scene -> homographies from frame to texture."""
        x, y = self.corner
        shift = (OVERSAMPLING - 1) / 2  # pixel centres: scene pixel 0 covers texture pixels 0 and 1
        to_texture = np.array(
            [
                [OVERSAMPLING, 0, shift - OVERSAMPLING * x],
                [0, OVERSAMPLING, shift - OVERSAMPLING * y],
                [0, 0, 1],
            ]
        )
        return to_texture @ homographies


def background(
    picture: np.ndarray,
    homographies: np.ndarray,
    size: tuple[int, int],
    response: Response,
    rng: np.random.Generator,
) -> Plane:
    """A plane cut from `picture` ((H, W, 3) uint8) large enough for all `homographies` of frames of `size`.

    Where the picture is too small it is mirrored at its borders, so that no frame ever shows an edge.
    """
    seen = project(homographies, grid_points(size, 2)).reshape(-1, 2)
    low, high = np.floor(seen.min(0)) - 2, np.ceil(seen.max(0)) + 2
    width, height = (high - low + 1).astype(int)
    return Plane(light_of(_cut(picture, (height, width), rng), response), (low[0], low[1]))


def whole_frame(frame: np.ndarray, response: Response) -> Plane:
    """A frame (H, W, 3) uint8 or uint16 as the scene, in its place."""
    large = cv2.resize(frame, None, fx=OVERSAMPLING, fy=OVERSAMPLING, interpolation=cv2.INTER_CUBIC)
    return Plane(light_of(large, response), (0, 0))


def _cut(picture: np.ndarray, size: tuple[int, int], rng: np.random.Generator) -> np.ndarray:
    """A random part of the picture at a random scale (0.4 to 1) -> (2 * height, 2 * width, 3) uint8."""
    room = np.array(picture.shape[:2])
    scale = min(1.0, max(rng.uniform(0.4, 1), *(np.array(size) / room)))
    taken = np.minimum(np.ceil(np.array(size) / scale).astype(int), room)
    for _ in range(_TRIES):
        top, left = rng.integers(0, room - taken + 1)
        part = picture[top : top + taken[0], left : left + taken[1]]
        if part[::5, ::5].std(axis=(0, 1)).max() > _TEXTURED:
            break
    fitted = np.maximum(np.round(taken * scale).astype(int), 1)
    if scale < 1:
        part = cv2.resize(part, tuple(fitted[::-1].tolist()), interpolation=cv2.INTER_AREA)
    large = cv2.resize(part, None, fx=OVERSAMPLING, fy=OVERSAMPLING, interpolation=cv2.INTER_CUBIC)
    height, width = size[0] * OVERSAMPLING, size[1] * OVERSAMPLING
    large = large[:height, :width]
    down, right = height - large.shape[0], width - large.shape[1]
    if down or right:
        large = cv2.copyMakeBorder(large, 0, down, 0, right, cv2.BORDER_REFLECT_101)
    return large


def light_of(picture: np.ndarray, response: Response) -> np.ndarray:
    """(h, w, 3) uint8 or uint16 -> (h, w, 4) float32 linear light and 1; warps are faster with four."""
    opaque = cv2.cvtColor(picture, cv2.COLOR_RGB2RGBA)
    return cv2.LUT(opaque, response.light_of_bytes) if opaque.dtype == np.uint8 else response.to_light(opaque)


@dataclass(frozen=True)
class MovingPlane:
    """A foreground object: a plane with a matte, and its own path relative to the scene."""

    plane: Plane
    path: ShakePath
    middle: float

    def homographies(self, camera: np.ndarray, times: np.ndarray) -> np.ndarray:
        """Homographies of the camera (n, 3, 3) at `times` (n,) -> from frame pixels to the object's plane."""
        at_rest = np.linalg.inv(self.path.homographies(np.array([self.middle])))
        return self.path.homographies(times) @ at_rest @ camera


def foreground(
    picture: np.ndarray,
    place: tuple[float, float],
    size: tuple[int, int],
    frames: int,
    duty: float,
    response: Response,
    rng: np.random.Generator,
) -> MovingPlane:
    """A random object with a texture cut from `picture`, centred at `place` (x, y) in scene pixels.

    Args:
        size: (height, width) of the frames, of which the object takes a fifth to four fifths.
        frames, duty: of the clip; the object smears 0 to 14 pixels an exposure by itself.
    """
    height, width = (max(8, round(side * rng.uniform(0.2, 0.8))) for side in size)
    texture = light_of(_cut(picture, (height, width), rng), response)
    texture *= _matte(texture.shape[:2], rng)[..., None]
    path = random_path(rng, (height, width), weights=(1, 1, 0.6, 0.2, 0.2, 0.4), pan=0.7)
    path = with_blur(path, (height, width), frames, duty, rng.uniform(0, 14), 20, max(size))
    corner = (place[0] - (width - 1) / 2, place[1] - (height - 1) / 2)
    centre = (path.centre[0] + corner[0], path.centre[1] + corner[1])
    path = replace(path, centre=centre)
    return MovingPlane(Plane(texture, corner), path, (frames - 1 + duty) / 2)


def _matte(size: tuple[int, int], rng: np.random.Generator) -> np.ndarray:
    """(h, w) float32 alpha of a random ellipse, blob or polygon with a soft border; 0 along the edge."""
    kind = rng.choice(["ellipse", "blob", "polygon"])
    turns = (
        np.sort(rng.uniform(0, 2 * np.pi, rng.integers(3, 8))) if kind == "polygon" else np.linspace(0, 2 * np.pi, 64)
    )
    radius = np.ones_like(turns)
    if kind == "blob":
        waves = np.arange(2, 6)
        swing = rng.normal(0, 0.35, len(waves)) / waves
        radius += (swing * np.cos(np.outer(turns, waves) + rng.uniform(0, 6.3, len(waves)))).sum(1)
    softness = rng.uniform(0.6, 2.5) * OVERSAMPLING
    room = np.array(size[::-1]) / 2
    reach = np.maximum(room - 3 * softness - 1, 1)
    around = np.stack([np.cos(turns), np.sin(turns)], -1) * radius[:, None]
    points = room + reach * around / max(1, np.abs(around).max())
    matte = np.zeros(size, np.float32)
    cv2.fillPoly(matte, [np.round(points * 16).astype(np.int32)], 1.0, shift=4)
    return cv2.GaussianBlur(matte, (0, 0), softness)
