"""Camera responses: the curve between linear light and the signal a file stores (MMP-RNN Eq. 1).

Blur is light that adds up on the sensor, so frames are averaged in linear light and the mean goes through the
response c. Cameras differ, so training draws c from a family around the usual ones: a mix of sRGB and a pure
power of 1.8 to 2.4, bent by a mild S-curve like those measured on action cameras.
"""

from functools import cached_property

import numpy as np

_KNOTS = 1025
_LEVELS = 65535


class Response:
    """One camera response, in both directions.

    The inverse response is tabulated at 1025 even signal values and straight between them, which makes the
    two directions exact inverses of each other.

    Args:
        srgb: share of the sRGB curve, in [0, 1]; the rest is the pure power.
        gamma: exponent of the pure power.
        contrast: S-curve strength in (-1, 1): the signal v is first bent to
            v + contrast * sin(2 pi v) / (2 pi).
        headroom: light of the signal 1, at least 1. A photograph holds its lights clipped; above 1 they shine again,
            from signal 0.95 on, so that their blur clips as it does in a camera: streaks stay white. Measured
            responses end as steeply. The other direction, what a camera stores, does not change.
    """

    def __init__(self, srgb: float = 1.0, gamma: float = 2.2, contrast: float = 0.0, headroom: float = 1.0) -> None:
        if not (0 <= srgb <= 1 and gamma > 0 and -1 < contrast < 1 and headroom >= 1):
            raise ValueError(
                f"Response: srgb must lie in [0, 1], gamma above 0, contrast in (-1, 1) and headroom be at least 1,"
                f" got {srgb}, {gamma}, {contrast} and {headroom}"
            )
        self.signal = np.linspace(0, 1, _KNOTS)
        bent = self.signal + contrast * np.sin(2 * np.pi * self.signal) / (2 * np.pi)
        toe, curve = bent / 12.92, ((bent + 0.055) / 1.055) ** 2.4
        self.light = srgb * np.where(bent <= 0.04045, toe, curve) + (1 - srgb) * bent**gamma
        self.light[[0, -1]] = 0, 1
        self._settings = srgb, gamma, contrast
        self.scene = self.light * (1 + (headroom - 1) * np.clip(20 * self.signal - 19, 0, 1) ** 2)

    @classmethod
    def random(cls, rng: np.random.Generator) -> "Response":
        """A camera of the family."""
        return cls(rng.uniform(0.3, 1), rng.uniform(1.8, 2.4), rng.uniform(-0.1, 0.25))

    def with_headroom(self, headroom: float) -> "Response":
        """The same camera before a scene with brighter lights."""
        return Response(*self._settings, headroom)

    @cached_property
    def light_of_bytes(self) -> np.ndarray:
        """(256,) float32: the linear light of every uint8 signal."""
        return self.to_light(np.arange(256) / 255)

    @cached_property
    def light_of_words(self) -> np.ndarray:
        """(65536,) float32: the linear light of every uint16 signal."""
        return self.to_light(np.arange(_LEVELS + 1) / _LEVELS)

    @cached_property
    def signal_of_root(self) -> np.ndarray:
        """(65536,) float32: the signal of lights even in the root of light, where every camera's curve is tame."""
        return np.interp(np.linspace(0, 1, _LEVELS + 1) ** 2, self.light, self.signal).astype(np.float32)

    def to_light(self, signal: np.ndarray) -> np.ndarray:
        """Signal (any shape, uint8, uint16 or float in 0..1) -> linear light, float32 in 0..1, to `headroom`."""
        signal = np.asarray(signal)
        if signal.dtype == np.uint8:
            return self.light_of_bytes[signal]
        if signal.dtype == np.uint16:
            return self.light_of_words[signal]
        return np.interp(signal, self.signal, self.scene).astype(np.float32)

    def to_signal(self, light: np.ndarray) -> np.ndarray:
        """Linear light (any shape, float; clipped to 0..1) -> signal, float32 in 0..1.

        Read from a table of 65536 entries: 20 times faster than solving the curve, and exact to a few 16-bit
        levels.
        """
        root = np.sqrt(np.clip(light, 0, 1, dtype=np.float32))
        return self.signal_of_root[(root * _LEVELS + 0.5).astype(np.uint16)]
