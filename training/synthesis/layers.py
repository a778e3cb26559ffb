"""Textured planes: the scene, and softly matted objects before it that move on their own and occlude."""

from dataclasses import dataclass, replace
from typing import Protocol

import cv2
import numpy as np

from .optics import out_of_focus
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

    def out_of_focus(self, radius: float) -> "Plane":
        """The same, every point a disc of `radius` frame pixels; what was its edge gets room to be soft."""
        room = int(np.ceil(radius)) if self.texture[0, 0, 3] == 0 else 0
        wide = [room * OVERSAMPLING] * 4
        texture = cv2.copyMakeBorder(self.texture, *wide, cv2.BORDER_CONSTANT) if room else self.texture
        x, y = self.corner
        return Plane(out_of_focus(texture, radius * OVERSAMPLING), (x - room, y - room))


def background(
    picture: np.ndarray,
    homographies: np.ndarray,
    size: tuple[int, int],
    response: Response,
    rng: np.random.Generator,
    zoom: float = 1.0,
) -> Plane:
    """A plane cut from `picture` ((H, W, 3) uint8) large enough for all `homographies` of frames of `size`, enlarged
    up to `zoom` times, as a lens that draws softly or a digital zoom does."""
    texture, corner = backdrop(picture, homographies, size, rng, zoom)
    return Plane(light_of(texture, response), corner)


def backdrop(
    picture: np.ndarray, homographies: np.ndarray, size: tuple[int, int], rng: np.random.Generator, zoom: float = 1.0
) -> tuple[np.ndarray, tuple[float, float]]:
    """What `background` shows, (h, w, 3) uint8, and its corner.

    Where the picture is too small it is mirrored at its borders, so that no frame ever shows an edge.
    """
    seen = project(homographies, grid_points(size, 2)).reshape(-1, 2)
    low, high = np.floor(seen.min(0)) - 2, np.ceil(seen.max(0)) + 2
    width, height = (high - low + 1).astype(int)
    return _cut(picture, (height, width), rng, zoom), (low[0], low[1])


def whole_frame(frame: np.ndarray, response: Response) -> Plane:
    """A frame (H, W, 3) uint8 or uint16 as the scene, in its place."""
    large = cv2.resize(frame, None, fx=OVERSAMPLING, fy=OVERSAMPLING, interpolation=cv2.INTER_CUBIC)
    return Plane(light_of(large, response), (0, 0))


def _cut(picture: np.ndarray, size: tuple[int, int], rng: np.random.Generator, zoom: float = 1.0) -> np.ndarray:
    """A random part of the picture at a random scale (0.4 to 1, times `zoom`) -> (2 * height, 2 * width, 3) uint8."""
    room = np.array(picture.shape[:2])
    scale = min(zoom, max(zoom * rng.uniform(0.4, 1), *(np.array(size) / room)))
    taken = np.minimum(np.ceil(np.array(size) / scale).astype(int), room)
    for _ in range(_TRIES):
        top, left = rng.integers(0, room - taken + 1)
        part = picture[top : top + taken[0], left : left + taken[1]]
        if part[::5, ::5].std(axis=(0, 1)).max() > _TEXTURED:
            break
    fitted = np.maximum(np.round(taken * scale).astype(int), 1)
    if scale < 1:
        part = cv2.resize(part, tuple(fitted[::-1].tolist()), interpolation=cv2.INTER_AREA)
    enlarged = OVERSAMPLING * max(scale, 1.0)
    large = cv2.resize(part, None, fx=enlarged, fy=enlarged, interpolation=cv2.INTER_CUBIC)
    height, width = size[0] * OVERSAMPLING, size[1] * OVERSAMPLING
    large = large[:height, :width]
    down, right = height - large.shape[0], width - large.shape[1]
    if down or right:
        large = cv2.copyMakeBorder(large, 0, down, 0, right, cv2.BORDER_REFLECT_101)
    return large


def light_of(picture: np.ndarray, response: Response) -> np.ndarray:
    """(h, w, 3) uint8 or uint16 -> (h, w, 4) float32 linear light and 1; warps are faster with four."""
    opaque = cv2.cvtColor(picture, cv2.COLOR_RGB2RGBA)
    light = cv2.LUT(opaque, response.light_of_bytes) if opaque.dtype == np.uint8 else response.to_light(opaque)
    light[..., 3] = 1  # where there is headroom, white is more
    return light


class Foreground(Protocol):
    """What stands or moves before the scene: a plane with a matte, and how a frame sees it."""

    plane: Plane

    def homographies(self, camera: np.ndarray, times: np.ndarray) -> np.ndarray:
        """Homographies of the camera (..., 3, 3) at `times` (...) -> from frame pixels to the plane."""


@dataclass(frozen=True)
class StandingPlane:
    """A layer that stands before the scene: the camera's own path, but nearer.

    to_scene (3, 3): from the nearer plane to scene pixels, as they lie in the middle of the clip.
    """

    plane: Plane
    path: ShakePath
    to_scene: np.ndarray

    def homographies(self, camera: np.ndarray, times: np.ndarray) -> np.ndarray:
        return self.to_scene @ self.path.homographies(times)


@dataclass(frozen=True)
class MovingPlane:
    """An object: its own path relative to the scene, at rest at the time `middle`."""

    plane: Plane
    path: ShakePath
    middle: float

    def homographies(self, camera: np.ndarray, times: np.ndarray) -> np.ndarray:
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
    plane = _cut_out(picture, place, size, (0.2, 0.8), response, rng)
    height, width = (side // OVERSAMPLING for side in plane.texture.shape[:2])
    path = random_path(rng, (height, width), weights=(1, 1, 0.6, 0.2, 0.2, 0.4), pan=0.7)
    path = with_blur(path, (height, width), frames, duty, rng.uniform(0, 14), 20, max(size))
    centre = (path.centre[0] + plane.corner[0], path.centre[1] + plane.corner[1])
    path = replace(path, centre=centre)
    return MovingPlane(plane, path, (frames - 1 + duty) / 2)


def standing(
    picture: np.ndarray,
    place: tuple[float, float],
    size: tuple[int, int],
    camera: ShakePath,
    nearness: float,
    middle: float,
    response: Response,
    rng: np.random.Generator,
) -> StandingPlane:
    """A random layer, `nearness` times nearer than the scene, that is at `place` (x, y) in scene pixels at the time
    `middle`; it takes half to one and a half of the frame."""
    plane = _cut_out(picture, place, size, (0.5, 1.5), response, rng)
    near, moment = camera.before(nearness), np.array([middle])
    to_scene = camera.homographies(moment)[0] @ np.linalg.inv(near.homographies(moment)[0])
    return StandingPlane(plane, near, to_scene)


def _cut_out(
    picture: np.ndarray,
    place: tuple[float, float],
    size: tuple[int, int],
    shares: tuple[float, float],
    response: Response,
    rng: np.random.Generator,
) -> Plane:
    """A random shape cut from `picture`, centred at `place`; it takes one of `shares` of each side of `size`."""
    height, width = (max(8, round(side * rng.uniform(*shares))) for side in size)
    texture = light_of(_cut(picture, (height, width), rng), response)
    texture *= _matte(texture.shape[:2], rng)[..., None]
    return Plane(texture, (place[0] - (width - 1) / 2, place[1] - (height - 1) / 2))


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
