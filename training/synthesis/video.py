"""A whole sharp video made blurry the way training does it, frame by frame."""

from collections.abc import Iterable, Iterator
from itertools import chain

import numpy as np

from .clips import average, smear_of
from .degrade import Degradation, stored
from .flow import between, flow, gray, is_cut
from .layers import light_of, whole_frame
from .response import Response
from .shake import random_path, with_blur
from .stills import magnitude_of, render_clip

_CALIBRATED = 60  # frames over which the mean smear of a shake is set
MODES = ("average", "shake")

Exposed = tuple[np.ndarray, np.ndarray, np.ndarray]  # blurry light, sharp light, smear


def synthesize_video(
    frames: Iterable[np.ndarray],
    mode: str = "average",
    window: int = 11,
    period: int | None = None,
    blur: float = 8.0,
    duty: float = 0.5,
    noise: float = 0.0,
    seed: int = 0,
    response: Response | None = None,
) -> Iterator[tuple[np.ndarray, np.ndarray, np.ndarray]]:
    """Makes blurry frames of sharp ones; memory does not grow with the length of the video.

    "average" gives one frame for every `period` that come in: the mean light of `window` consecutive frames,
    with frames in between along optical flow, and as sharp frame their middle one, of an even number what lies
    halfway between two along that flow. A window never spans a scene cut, and what is left at the end of a scene is
    dropped. "shake" keeps every frame: each becomes a plane before a camera that shakes on one continuous path.

    Args:
        frames: (H, W, 3) RGB uint8 or uint16, all of one size and type.
        mode: "average" or "shake".
        window: frames averaged, at least 1 (the papers take 7 to 13).
        period: frames from one window's start to the next's, at least `window`; by default `window`.
        blur: mean smear of the shake within an exposure, in pixels.
        duty: part of a frame's time that the shutter of the shaken camera is open, in (0, 1].
        noise: sensor noise of the blurry frames at mid grey, in 8-bit levels.
        seed: of the shake and the noise.
        response: the camera's response; sRGB by default.

    Yields:
        blurry and sharp (H, W, 3) of the type that came in, and the motion magnitude (H, W) float32 in 0..1.

    Raises:
        ValueError: an argument out of range, or a frame of another shape or type than the first.
    """
    _check(mode, window, period, blur, duty, noise)
    return _synthesize(frames, mode, window, period or window, blur, duty, noise, seed, response or Response())


def _check(mode: str, window: int, period: int | None, blur: float, duty: float, noise: float) -> None:
    if mode not in MODES:
        raise ValueError(f'synthesize_video: mode must be "average" or "shake", got {mode!r}')
    if window < 1:
        raise ValueError(f"synthesize_video: window must be at least 1 frame, got {window}")
    if period is not None and period < window:
        raise ValueError(f"synthesize_video: period must be at least the window of {window} frames, got {period}")
    if blur < 0 or noise < 0:
        raise ValueError(f"synthesize_video: blur and noise must not be negative, got {blur} and {noise}")
    if not 0 < duty <= 1:
        raise ValueError(f"synthesize_video: duty must lie in (0, 1], got {duty}")


def _synthesize(frames, mode, window, period, blur, duty, noise, seed, response):
    rng = np.random.default_rng(seed)
    degradation = Degradation.noise(noise, response)
    frames = _alike(frames)
    first = next(frames, None)
    if first is None:
        return
    frames = chain([first], frames)
    if mode == "average":
        exposed = _averaged(frames, window, period, response)
    else:
        exposed = _shaken(frames, first.shape[:2], blur, duty, response, rng)
    for blurry, sharp, smear in exposed:
        noisy = degradation.apply(blurry[None], response, rng, first.dtype.type)[0]
        yield noisy, stored(sharp, response, first.dtype.type), magnitude_of(smear)


def _averaged(frames: Iterator[np.ndarray], window: int, period: int, response: Response) -> Iterator[Exposed]:
    held, aheads, backs, before, wait = [], [], [], None, 0
    for frame in frames:
        now = gray(frame)
        if before is not None and is_cut(before, now):
            held, aheads, backs, wait = [], [], [], 0
        if wait:
            wait -= 1
        else:
            if held:
                aheads.append(flow(before, now))
                backs.append(flow(now, before))
            held.append(frame)
        if len(held) == window:
            blurry = average((light_of(one, response) for one in held), aheads, backs)[..., :3]
            still = np.zeros(frame.shape[:2], np.float32)
            smear = smear_of(aheads, backs) if aheads else still
            yield blurry, _middle(held, aheads, backs, response), smear
            held, aheads, backs, wait = [], [], [], period - window
        before = now


def _middle(
    frames: list[np.ndarray], aheads: list[np.ndarray], backs: list[np.ndarray], response: Response
) -> np.ndarray:
    """Light (H, W, 3) at the middle of an exposure, of which the flows are known from frame to frame."""
    before, after = (len(frames) - 1) // 2, len(frames) // 2
    if before == after:
        return response.to_light(frames[after])
    pair = (light_of(frames[k], response) for k in (before, after))
    return between(*pair, aheads[before], backs[before], 0.5)[..., :3]


def _shaken(
    frames: Iterator[np.ndarray],
    size: tuple[int, int],
    blur: float,
    duty: float,
    response: Response,
    rng: np.random.Generator,
) -> Iterator[Exposed]:
    path = random_path(rng, size, pan=0)
    path = with_blur(path, size, _CALIBRATED, duty, blur, 4 * blur, max(max(size) / 4, 8 * blur / duty))
    for number, frame in enumerate(frames):
        shot = render_clip(whole_frame(frame, response), [], path, duty, size, 1, first=number)
        yield shot.blurry[0], shot.sharp[0], shot.smear[0]


def _alike(frames: Iterable[np.ndarray]) -> Iterator[np.ndarray]:
    """The frames, checked to be pictures of one shape and type."""
    kind = None
    for number, frame in enumerate(frames):
        if frame.ndim != 3 or frame.shape[2] != 3 or frame.dtype not in (np.uint8, np.uint16):
            raise ValueError(
                f"synthesize_video: frames must be (H, W, 3) uint8 or uint16,"
                f" got {frame.shape} {frame.dtype} as frame {number}"
            )
        kind = kind or (frame.shape, frame.dtype)
        if (frame.shape, frame.dtype) != kind:
            raise ValueError(
                f"synthesize_video: frame {number} is {frame.shape} {frame.dtype},"
                f" but the first was {kind[0]} {kind[1]}; give frames of one size and type"
            )
        yield frame
