"""Blurry clips from sharp photographs: a shaken camera looks at a scene with objects that move on their own.

Everything is known exactly. A frame's exposure is cut into an odd number of sub-steps, at most about a pixel
of movement each; the blurry frame is the mean of their light and the sharp target is the middle one. Sub-step
i of n lies in the middle of the i-th n-th of the exposure, so the blurry frame is the midpoint rule for the
sensor's integral.

Motion magnitude is MMP-RNN's Eq. 2 and 3, freed from the number of sub-steps. With N sharp frames the
equations give (path length) / (N - 1) / K for steady movement; here the path length is measured over all
sub-steps and N is set to 11, the paper's most frequent count (7 to 13), with K = 15. So 150 pixels of smear
map to 1 and 15 pixels to 0.1.
"""

from dataclasses import dataclass

import cv2
import numpy as np

from .flow import lengths
from .layers import MovingPlane, Plane, background, foreground
from .response import Response
from .shake import ShakePath, grid_points, project, random_path, with_blur

MAGNITUDE_K = 15
MAGNITUDE_N = 11
BLURRED = 1.0  # pixels of path length from which a pixel counts as blurred
_LONGEST = 26  # pixels that an exposure smears at most
_PROBES = 5  # moments of an exposure at which its movement is judged
_NODE = 16  # pixels between the nodes at which motion is computed


@dataclass(frozen=True)
class Exposures:
    """Rendered frames: blurry and sharp (T, H, W, 3) linear light, smear (T, H, W) path lengths in pixels."""

    blurry: np.ndarray
    sharp: np.ndarray
    smear: np.ndarray


def magnitude_of(smear: np.ndarray) -> np.ndarray:
    """Path lengths within the exposure in pixels -> motion magnitude in 0..1 (MMP-RNN Eq. 3)."""
    return np.minimum(smear / ((MAGNITUDE_N - 1) * MAGNITUDE_K), 1).astype(np.float32)


def render_clip(
    scene: Plane,
    objects: list[MovingPlane],
    path: ShakePath,
    duty: float,
    size: tuple[int, int],
    frames: int,
    first: int = 0,
) -> Exposures:
    """Renders `frames` frames of `size` (height, width) from `first`; frame t is open over [t, t + duty)."""

    def views(times: np.ndarray) -> list[np.ndarray]:
        camera = path.homographies(times)
        return [camera] + [thing.homographies(camera, times) for thing in objects]

    counts = sub_steps(views(_moments(duty, np.full(frames, _PROBES), first)), frames, size)
    seen = views(_moments(duty, counts, first))
    ends = np.cumsum(counts)[:-1]
    planes = [scene] + [thing.plane for thing in objects]
    rendered = [
        render_exposure(planes, exposure, size)
        for exposure in zip(*(np.split(view, ends) for view in seen), strict=True)
    ]
    return Exposures(*(np.stack(part) for part in zip(*rendered, strict=True)))


def _moments(duty: float, counts: np.ndarray, first: int) -> np.ndarray:
    """The middles of `counts[t]` even parts of each frame's exposure, from frame `first` on."""
    return np.concatenate([t + duty * (np.arange(n) + 0.5) / n for t, n in enumerate(counts, first)])


def sub_steps(views: list[np.ndarray], frames: int, size: tuple[int, int]) -> np.ndarray:
    """How many sub-steps each frame needs so that nothing in it moves much more than a pixel in one.

    Args:
        views: for each plane, homographies (frames * probes, 3, 3) at even moments of the exposures.

    Returns:
        (frames,) odd ints from 7 to 33.
    """
    corners = grid_points(size, 3)
    longest = np.zeros(frames)
    for view in views:
        smears = [lengths(movement(probes, corners)).sum(0).max() for probes in np.split(view, frames)]
        longest = np.maximum(longest, smears)
    return np.clip(np.ceil(longest) // 2 * 2 + 1, 7, 33).astype(int)


def render_exposure(
    planes: list[Plane], views: list[np.ndarray], size: tuple[int, int]
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """One frame -> blurry (H, W, 3) and sharp (H, W, 3) linear light, smear (H, W) in pixels.

    Args:
        planes: the background first, then what stands before it, the nearest last.
        views: for each plane, (n, 3, 3) homographies from frame pixels to it at the n sub-steps; n is odd.
        size: (height, width).
    """
    steps = len(views[0])
    moves = [movement(view, _nodes(size)).astype(np.float32) for view in views]
    samplings = [plane.sampling(view) for plane, view in zip(planes, views, strict=True)]
    objects = planes[1:]
    total = np.zeros((*size, 4), np.float32)
    smear = np.zeros(size, np.float32)
    frame = np.empty((*size, 4), np.float32)
    for i in range(steps):
        _warp(planes[0].texture, samplings[0][i], size, cv2.BORDER_REFLECT_101, frame)
        step = _spread_lengths(moves[0][i], size)
        for plane, sampling, move in zip(objects, samplings[1:], moves[1:], strict=True):
            cover = _warp(plane.texture, sampling[i], size, cv2.BORDER_CONSTANT)
            alpha = cv2.extractChannel(cover, 3)
            cv2.multiply(frame, 1 - cv2.cvtColor(alpha, cv2.COLOR_GRAY2RGBA), dst=frame)
            cv2.add(frame, cover, dst=frame)
            step += alpha * (_spread_lengths(move[i], size) - step)
        smear += step
        cv2.accumulate(frame, total)
        if i == steps // 2:
            sharp = frame[..., :3].copy()
    return total[..., :3] / steps, sharp, smear


def movement(homographies: np.ndarray, points: np.ndarray) -> np.ndarray:
    """How what is seen at each point moves in a sub-step; its length is M_i of MMP-RNN Eq. 2.

    Args:
        homographies: (n, 3, 3) from frame to plane at n moments, at least 2.
        points: (p, 2) in frame pixels.

    Returns:
        (n, p, 2) pixels: the mean of the movements from the moment before and to the one after; at the ends,
        where there is only one of them, that one.
    """
    inverses = np.linalg.inv(homographies)
    ahead = project(inverses[1:] @ homographies[:-1], points) - points
    back = points - project(inverses[:-1] @ homographies[1:], points)
    return np.concatenate([ahead[:1], (ahead[1:] + back[:-1]) / 2, back[-1:]])


def _warp(texture: np.ndarray, sampling: np.ndarray, size: tuple[int, int], border: int, out=None) -> np.ndarray:
    flags = cv2.INTER_LINEAR | cv2.WARP_INVERSE_MAP
    return cv2.warpPerspective(texture, sampling, size[::-1], dst=out, flags=flags, borderMode=border)


def _nodes(size: tuple[int, int]) -> np.ndarray:
    """Points (x, y) at which motion is computed: corners of cells of _NODE pixels that cover the frame."""
    y, x = (np.arange(-(-side // _NODE) + 1) * _NODE - 0.5 for side in size)
    return np.stack(np.meshgrid(x, y), axis=-1).reshape(-1, 2)


def _spread_lengths(moves: np.ndarray, size: tuple[int, int]) -> np.ndarray:
    """Lengths (H, W) of movements (p, 2) known at the `_nodes` of a frame and bilinear between them."""
    height, width = size
    moves = moves.reshape(-(-height // _NODE) + 1, -1, 2)
    fine = cv2.resize(moves, None, fx=_NODE, fy=_NODE, interpolation=cv2.INTER_LINEAR)
    return lengths(fine[_NODE // 2 :, _NODE // 2 :][:height, :width])


def shaken_clip(
    pictures: list[np.ndarray],
    rng: np.random.Generator,
    response: Response,
    frames: int,
    size: tuple[int, int],
    blur: float | None = None,
    centre_spread: float = 300,
    duty: float | None = None,
) -> Exposures:
    """A random clip from sharp pictures: the first is the scene, the others clothe objects in front.

    About one clip in eight is nearly sharp; with objects, one more in eight is a calm camera before them; in
    the others the camera smears 1 to 20 pixels an exposure on average, most often 2 to 12, more in some
    frames and less in others.

    Args:
        pictures: (H, W, 3) uint8; one object for each after the first.
        frames, size: frames of (height, width) to make.
        blur: mean pixels of smear from the camera, instead of a random one.
        centre_spread: pixels the optical centre may lie off the middle: a training crop is part of a larger
            frame.
        duty: part of a frame's time that the shutter is open, instead of a random one.
    """
    duty = rng.uniform(0.3, 1) if duty is None else duty
    kind = rng.random()
    if blur is None:
        calm = kind < (0.12 if len(pictures) == 1 else 0.25)
        blur = rng.uniform(0, 0.8) if calm else 1 + 19 * rng.beta(1.3, 2.6)
    path = random_path(rng, size, centre_spread=centre_spread)
    path = with_blur(path, size, frames, duty, blur, _LONGEST, 200)
    times = np.linspace(0, frames - 1 + duty, frames * 16 + 1)
    scene = background(pictures[0], path.homographies(times), size, response, rng)
    objects = []
    for picture in pictures[1:] if kind >= 0.12 else []:
        middle = path.homographies(times[frames * 8 : frames * 8 + 1])
        spot = np.array([[rng.uniform(0, size[1]), rng.uniform(0, size[0])]])
        place = tuple(project(middle, spot)[0, 0])
        objects.append(foreground(picture, place, size, frames, duty, response, rng))
    return render_clip(scene, objects, path, duty, size, frames)
