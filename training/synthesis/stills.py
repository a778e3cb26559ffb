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

from dataclasses import dataclass, replace

import cv2
import numpy as np

from .flow import lengths
from .layers import OVERSAMPLING, Foreground, Plane, background, foreground, standing
from .optics import add_lamps, hunting
from .response import Response
from .shake import SHIFTING, TURNING, ShakePath, grid_points, project, random_path, with_blur
from .variety import PLAIN, Kind
from .warp import movement, node_movement, nodes, spread, warp

MAGNITUDE_K = 15
MAGNITUDE_N = 11
BLURRED = 1.0  # pixels of path length from which a pixel counts as blurred
_MOST_STEPS = 33  # sub-steps of an exposure; of a longer smear one for each pixel
_PROBES = 5  # moments of an exposure at which its movement is judged


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
    objects: list[Foreground],
    path: ShakePath,
    duty: float,
    size: tuple[int, int],
    frames: int,
    first: int = 0,
    rolling: float = 0.0,
    most_steps: int = _MOST_STEPS,
) -> Exposures:
    """Renders `frames` frames of `size` (height, width) from `first`; frame t is open over [t, t + duty).

    With a `rolling` shutter row y of H opens rolling * y / H later, in blurry and sharp frames alike: deblurring does
    not straighten what it bends.
    """

    planes = [scene] + [thing.plane for thing in objects]
    exposures = views_of(path, objects, duty, size, frames, first, rolling, most_steps)
    rendered = [render_exposure(planes, views, size) for views in exposures]
    return Exposures(*(np.stack(part) for part in zip(*rendered, strict=True)))


def views_of(
    path: ShakePath,
    objects: list[Foreground],
    duty: float,
    size: tuple[int, int],
    frames: int,
    first: int = 0,
    rolling: float = 0.0,
    most_steps: int = _MOST_STEPS,
) -> list[list[np.ndarray]]:
    """For each frame, and in it for the scene and each object, the homographies of its sub-steps: see `render_clip`
    and `render_exposure`."""

    def views(times: np.ndarray) -> list[np.ndarray]:
        camera = path.homographies(times)
        return [camera] + [thing.homographies(camera, times) for thing in objects]

    counts = sub_steps(views(_moments(duty, np.full(frames, _PROBES), first)), frames, size, most_steps)
    moments = _moments(duty, counts, first)
    if rolling:
        moments = moments[:, None] + rolling * (nodes(size)[:, 0, 1] + 0.5) / size[0]
    ends = np.cumsum(counts)[:-1]
    return [list(exposure) for exposure in zip(*(np.split(view, ends) for view in views(moments)), strict=True)]


def _moments(duty: float, counts: np.ndarray, first: int) -> np.ndarray:
    """The middles of `counts[t]` even parts of each frame's exposure, from frame `first` on."""
    return np.concatenate([t + duty * (np.arange(n) + 0.5) / n for t, n in enumerate(counts, first)])


def sub_steps(views: list[np.ndarray], frames: int, size: tuple[int, int], most: int = _MOST_STEPS) -> np.ndarray:
    """How many sub-steps each frame needs so that nothing in it moves much more than a pixel in one.

    Args:
        views: for each plane, homographies (frames * probes, 3, 3) at even moments of the exposures.

    Returns:
        (frames,) odd ints from 7 to `most`.
    """
    corners = grid_points(size, 3)
    longest = np.zeros(frames)
    for view in views:
        smears = [lengths(movement(probes, corners)).sum(0).max() for probes in np.split(view, frames)]
        longest = np.maximum(longest, smears)
    return np.clip(np.ceil(longest) // 2 * 2 + 1, 7, most).astype(int)


def render_exposure(
    planes: list[Plane], views: list[np.ndarray], size: tuple[int, int]
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """One frame -> blurry (H, W, 3) and sharp (H, W, 3) linear light, smear (H, W) in pixels.

    Args:
        planes: the background first, then what stands before it, the nearest last.
        views: for each plane, (n, 3, 3) homographies from frame pixels to it at the n sub-steps; n is odd. Of a
            rolling shutter (n, r, 3, 3), one for each row of `nodes`.
        size: (height, width).
    """
    steps = len(views[0])
    moves = [node_movement(view, size) for view in views]
    samplings = [plane.sampling(view) for plane, view in zip(planes, views, strict=True)]
    objects = planes[1:]
    total = np.zeros((*size, 4), np.float32)
    smear = np.zeros(size, np.float32)
    frame = np.empty((*size, 4), np.float32)
    for i in range(steps):
        warp(planes[0].texture, samplings[0][i], size, cv2.BORDER_REFLECT_101, frame)
        step = lengths(spread(moves[0][i], size))
        for plane, sampling, move in zip(objects, samplings[1:], moves[1:], strict=True):
            cover = warp(plane.texture, sampling[i], size, cv2.BORDER_CONSTANT)
            alpha = cv2.extractChannel(cover, 3)
            cv2.multiply(frame, 1 - cv2.cvtColor(alpha, cv2.COLOR_GRAY2RGBA), dst=frame)
            cv2.add(frame, cover, dst=frame)
            step += alpha * (lengths(spread(move[i], size)) - step)
        smear += step
        cv2.accumulate(frame, total)
        if i == steps // 2:
            sharp = frame[..., :3].copy()
    return total[..., :3] / steps, sharp, smear


@dataclass(frozen=True)
class Camera:
    """How a clip is filmed: the path, the part of a frame's time that the shutter is open, moments from the first to
    the last, and a number in [0, 1) of which the lowest 0.12 are nearly sharp clips without objects."""

    path: ShakePath
    duty: float
    times: np.ndarray
    mood: float

    @classmethod
    def random(
        cls,
        rng: np.random.Generator,
        frames: int,
        size: tuple[int, int],
        blur: float | None = None,
        centre_spread: float = 300,
        duty: float | None = None,
        objects: bool = False,
        kind: Kind = PLAIN,
    ) -> "Camera":
        """As `shaken_clip` takes one."""
        duty = rng.uniform(0.3, 1) if duty is None else duty
        mood = rng.random()
        blur = kind.blur if blur is None else blur
        if blur is None:
            calm = mood < (0.25 if objects else 0.12)
            blur = rng.uniform(0, 0.8) if calm else 1 + 19 * rng.beta(1.3, 2.6)
        path = random_path(rng, size, SHIFTING if kind.nearness else TURNING, centre_spread)
        nearest = max(kind.nearness, default=1.0)  # what stands in front is smeared that much more
        path = with_blur(path, size, frames, duty, blur / nearest**0.5, kind.longest / nearest, 200)
        return cls(path, duty, np.linspace(0, frames - 1 + duty + kind.rolling, frames * 16 + 1), mood)


def shaken_clip(
    pictures: list[np.ndarray],
    rng: np.random.Generator,
    response: Response,
    frames: int,
    size: tuple[int, int],
    blur: float | None = None,
    centre_spread: float = 300,
    duty: float | None = None,
    kind: Kind = PLAIN,
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
        kind: what else is special about it.
    """
    camera = Camera.random(rng, frames, size, blur, centre_spread, duty, len(pictures) > 1, kind)
    path, duty, times = camera.path, camera.duty, camera.times
    scene = background(pictures[0], path.homographies(times), size, response, rng, kind.zoom)
    if kind.lamps:
        seen = np.prod(size) * OVERSAMPLING**2
        add_lamps(scene.texture, round(kind.lamps * scene.texture[..., 0].size / seen), rng)
    if kind.soft:
        scene = scene.out_of_focus(kind.soft)
    objects: list[Foreground] = []
    for number, picture in enumerate(pictures[1:] if camera.mood >= 0.12 or kind.nearness or kind.lively else []):
        middle = path.homographies(times[frames * 8 : frames * 8 + 1])
        spot = np.array([[rng.uniform(0, size[1]), rng.uniform(0, size[0])]])
        place = tuple(project(middle, spot)[0, 0])
        if kind.nearness:
            moment = times[frames * 8]
            thing = standing(picture, place, size, path, kind.nearness[number], moment, response, rng)
        else:
            thing = foreground(picture, place, size, frames, duty, response, rng)
        objects.append(replace(thing, plane=thing.plane.out_of_focus(kind.soft_front)) if kind.soft_front else thing)
    steps = max(_MOST_STEPS, int(kind.longest) // 2 * 2 + 1)
    shot = render_clip(scene, objects, path, duty, size, frames, rolling=kind.rolling, most_steps=steps)
    return replace(shot, blurry=hunting(shot.blurry, kind.hunting, rng)) if kind.hunting else shot
