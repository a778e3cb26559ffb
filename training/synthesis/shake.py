"""Camera shake: smooth random paths of a camera, as one homography for every moment.

Time is counted in frames. A path is a sum of sinusoids in each of six freedoms, so it is smooth, continuous
from frame to frame, defined for a video of any length and cheap to read at any moment; frame t is exposed
over [t, t + duty).
"""

from dataclasses import dataclass, replace

import numpy as np

FREEDOMS = 6  # yaw, pitch, roll, shift x, shift y, zoom
_WAVES = 5
_SIMPSON = np.outer([1, 4, 1], [1, 4, 1]).ravel() / 36  # mean over a frame from 3 x 3 of its points
TURNING = (1, 1, 0.5, 0.3, 0.3, 0.25)  # how strongly a hand-held camera moves in each freedom
SHIFTING = (0.4, 0.4, 0.3, 1, 0.8, 0.7)  # and one that walks or drives
_ZOOM = 0.7  # zooms stay within a factor e ** 0.7


@dataclass(frozen=True)
class ShakePath:
    """A camera (or object) path over a plane.

    Attributes:
        frequency, amplitude, phase: (6, waves) cycles a frame, pixels, radians. Amplitudes are pixels of
            movement in the picture: at the centre for yaw, pitch and shift, `radius` away from it for roll
            and zoom.
        drift: (6,) pixels a frame of steady movement.
        calm: (depth in [0, 1), cycles a frame, phase) of a slow swell that makes the shake come and go.
        centre: (x, y) in pixels, the point that roll and zoom leave in place.
        focal: focal length in pixels.
        radius: distance in pixels at which amplitudes of roll and zoom are measured.
    """

    frequency: np.ndarray
    amplitude: np.ndarray
    phase: np.ndarray
    drift: np.ndarray
    calm: tuple[float, float, float]
    centre: tuple[float, float]
    focal: float
    radius: float

    def scaled(self, factor: float) -> "ShakePath":
        """The same path with `factor` times the movement."""
        return replace(self, amplitude=self.amplitude * factor, drift=self.drift * factor)

    def before(self, nearness: float) -> "ShakePath":
        """The same camera before a plane that many times nearer: turns look the same, shifts so much larger."""
        share = np.array([1, 1, 1, nearness, nearness, nearness])
        return replace(self, amplitude=self.amplitude * share[:, None], drift=self.drift * share)

    def pose(self, times: np.ndarray) -> np.ndarray:
        """Times (n,) -> (n, 6) movements in pixels."""
        times = np.asarray(times, dtype=np.float64)
        angle = 2 * np.pi * self.frequency * times[:, None, None] + self.phase
        depth, frequency, phase = self.calm
        swell = 1 - depth * (0.5 + 0.5 * np.sin(2 * np.pi * frequency * times + phase))
        return swell[:, None] * (self.amplitude * np.sin(angle)).sum(-1) + self.drift * times[:, None]

    def homographies(self, times: np.ndarray) -> np.ndarray:
        """Times (...) -> (..., 3, 3), each taking a frame's pixel (x, y, 1) to the scene point it sees.

        H = K (R + s e_z^T) K^-1: a camera turned by R and shifted by s before a plane at unit distance.
        """
        if np.ndim(times) != 1:
            return self.homographies(np.ravel(times)).reshape(*np.shape(times), 3, 3)
        pose = self.pose(times)
        yaw, pitch = pose[:, 0] / self.focal, pose[:, 1] / self.focal
        roll, zoom = pose[:, 2] / self.radius, pose[:, 5] / self.radius
        motion = _turn(0, 2, yaw) @ _turn(2, 1, pitch) @ _turn(1, 0, roll)
        motion[:, 0, 2] += pose[:, 3] / self.focal
        motion[:, 1, 2] += pose[:, 4] / self.focal
        motion[:, 2, 2] += np.exp(_ZOOM * np.tanh(zoom / _ZOOM)) - 1
        camera = np.array([[self.focal, 0, self.centre[0]], [0, self.focal, self.centre[1]], [0, 0, 1]])
        return camera @ motion @ np.linalg.inv(camera)


def random_path(
    rng: np.random.Generator,
    size: tuple[int, int],
    weights: tuple[float, ...] = TURNING,
    centre_spread: float = 0.0,
    pan: float = 0.3,
) -> ShakePath:
    """A random path of about one pixel of movement a frame, for frames of `size` (height, width).

    Args:
        weights: how strongly each freedom may take part, in the order of FREEDOMS.
        centre_spread: pixels the optical centre may lie off the middle: a training crop sees a part of a
            picture.
        pan: chance of a steady movement on top.
    """
    roughness, base = rng.uniform(0.7, 2), 10 ** rng.uniform(-1.7, -0.9)
    frequency = base * 10 ** rng.uniform(0, 1, (FREEDOMS, _WAVES))
    share = np.array(weights) * rng.uniform(0.2, 1, FREEDOMS)
    speed = rng.uniform(0.3, 1, (FREEDOMS, _WAVES)) * (frequency / base) ** (1 - roughness)
    drift = share * rng.normal(0, 0.7, FREEDOMS) * (rng.random() < pan)
    height, width = size
    off = rng.uniform(-centre_spread, centre_spread, 2)
    return ShakePath(
        frequency=frequency,
        amplitude=share[:, None] * speed / (2 * np.pi * frequency),
        phase=rng.uniform(0, 2 * np.pi, (FREEDOMS, _WAVES)),
        drift=drift,
        calm=(rng.uniform(0, 0.95), rng.uniform(0.03, 0.15), rng.uniform(0, 2 * np.pi)),
        centre=((width - 1) / 2 + off[0], (height - 1) / 2 + off[1]),
        focal=rng.uniform(0.8, 1.6) * max(max(size), 500),
        radius=max(size) / 2,
    )


def with_blur(
    path: ShakePath,
    size: tuple[int, int],
    frames: int,
    duty: float,
    blur: float,
    longest: float,
    reach: float,
) -> ShakePath:
    """The path scaled so that its exposures smear `blur` pixels on average over the frames of a clip.

    Args:
        duty: part of a frame's time that the shutter is open, in (0, 1].
        blur: mean path length within an exposure, in pixels.
        longest: no exposure smears more than this, in pixels.
        reach: no point of the frame wanders further than this from where it began, in pixels.
    """
    points = grid_points(size, 3)
    times = (np.arange(frames)[:, None] + duty * np.linspace(0, 1, 9)).ravel()
    path = path.scaled(1e-3)
    for most in (np.inf, 2, 2, 2):  # turns and zooms do not scale quite in proportion
        views = path.homographies(times)
        seen = project(views, points)
        wander = np.abs(seen - seen[0]).max()
        views = views.reshape(frames, 9, 3, 3)
        steps = (np.linalg.inv(views[:, 1:]) @ views[:, :-1]).reshape(-1, 3, 3)
        moves = (project(steps, points) - points).reshape(frames, 8, -1, 2)
        lengths = np.linalg.norm(moves, axis=-1).sum(1) @ _SIMPSON
        limits = (blur, lengths.mean()), (longest, lengths.max()), (reach, wander)
        path = path.scaled(min(most, *(limit / max(measured, 1e-9) for limit, measured in limits)))
    return path


def grid_points(size: tuple[int, int], nodes: int) -> np.ndarray:
    """(nodes * nodes, 2) points (x, y) spread evenly over a frame of `size`, its corner pixels included."""
    y, x = (np.linspace(0, side - 1, nodes) for side in size)
    return np.stack(np.meshgrid(x, y), axis=-1).reshape(-1, 2)


def project(homographies: np.ndarray, points: np.ndarray) -> np.ndarray:
    """Homographies (..., 3, 3) applied to points (p, 2), or (..., p, 2) of their own -> (..., p, 2)."""
    rays = homographies[..., :2] @ np.swapaxes(points, -1, -2) + homographies[..., 2:]
    return np.swapaxes(rays[..., :2, :] / rays[..., 2:, :], -1, -2)


def _turn(a: int, b: int, angle: np.ndarray) -> np.ndarray:
    """Rotations (n, 3, 3) by `angle` in the plane of axes a and b that move b towards a."""
    turn = np.tile(np.eye(3), (len(angle), 1, 1))
    turn[:, a, a] = turn[:, b, b] = np.cos(angle)
    turn[:, a, b], turn[:, b, a] = np.sin(angle), -np.sin(angle)
    return turn
