"""What a camera adds to blurry frames: sensor noise and compression, often none. Sharp targets stay clean."""

import io
from dataclasses import dataclass
from fractions import Fraction

import cv2
import numpy as np

from .response import Response


@dataclass(frozen=True)
class Degradation:
    """The camera's settings, the same for all frames of a clip.

    Attributes:
        shot: variance of the noise for each unit of linear light (Poisson part).
        read: deviation of the noise in the dark, in linear light (Gaussian part).
        jpeg: JPEG quality 1 to 100, or None.
        h264: x264 constant rate factor 0 to 51, or None; goes over the whole clip.
        mpeg4: quantiser 1 to 31 of MPEG-4 Part 2, what older phones and cameras write, or None; over the whole clip.
    """

    shot: float = 0.0
    read: float = 0.0
    jpeg: int | None = None
    h264: int | None = None
    mpeg4: int | None = None

    def __str__(self) -> str:
        """Such as "+ noise + jpeg 80"; "" for none."""
        codecs = {name: getattr(self, name) for name in ("jpeg", "h264", "mpeg4")}
        names = {"noise": self.shot or self.read} | {f"{name} {how}": how for name, how in codecs.items()}
        return " ".join(f"+ {name}" for name, there in names.items() if there)

    @classmethod
    def random(cls, rng: np.random.Generator) -> "Degradation":
        """Noise in 3 clips of 10; H.264 in 2 of 10, MPEG-4 Part 2 in 15 of 100, JPEG in as many, none of them in half.

        The worst of each is what a phone stores of a room in the evening: blocks show.
        """
        noisy, coded = rng.random(), rng.random()
        shot, read = 10 ** rng.uniform(-5, -3.3), 10 ** rng.uniform(-4, -2.9)
        jpeg, h264, mpeg4 = int(rng.integers(40, 96)), int(rng.integers(16, 35)), int(rng.integers(2, 15))
        return cls(
            shot=shot if noisy < 0.3 else 0.0,
            read=read if noisy < 0.3 else 0.0,
            jpeg=jpeg if coded < 0.15 else None,
            h264=h264 if 0.15 <= coded < 0.35 else None,
            mpeg4=mpeg4 if 0.35 <= coded < 0.5 else None,
        )

    @classmethod
    def noise(cls, levels: float, response: Response) -> "Degradation":
        """Noise of `levels` 8-bit levels at mid grey, four fifths of its variance from the light itself."""
        below, grey, above = response.to_light(np.array([0.49, 0.5, 0.51]))
        deviation = levels / 255 * float(above - below) / 0.02
        return cls(shot=0.8 * deviation**2 / float(grey), read=0.2**0.5 * deviation)

    def apply(
        self, light: np.ndarray, response: Response, rng: np.random.Generator, dtype: type = np.uint8
    ) -> np.ndarray:
        """Light of a clip (T, H, W, 3) float32 -> what a file stores, (T, H, W, 3) uint8 or uint16.

        Compression works on uint8 only.
        """
        if self.shot or self.read:
            noise = rng.standard_normal(light.shape, np.float32)
            light = light + noise * np.sqrt(self.shot * light + self.read**2, dtype=np.float32)
        frames = stored(light, response, dtype)
        if self.jpeg is not None:
            frames = np.stack([_jpeg(frame, self.jpeg) for frame in frames])
        if self.h264 is not None:
            frames = _coded(frames, "libx264", {"crf": str(self.h264), "preset": "veryfast", "threads": "1"})
        if self.mpeg4 is not None:
            frames = _coded(frames, "mpeg4", {"qmin": str(self.mpeg4), "qmax": str(self.mpeg4), "threads": "1"})
        return frames


def stored(light: np.ndarray, response: Response, dtype: type = np.uint8) -> np.ndarray:
    """Linear light -> the signal rounded to uint8 or uint16."""
    return (response.to_signal(light) * np.iinfo(dtype).max + 0.5).astype(dtype)


def _jpeg(frame: np.ndarray, quality: int) -> np.ndarray:
    coded = cv2.imencode(".jpg", frame[..., ::-1], [cv2.IMWRITE_JPEG_QUALITY, quality])[1]
    return cv2.imdecode(coded, cv2.IMREAD_COLOR_RGB)


def _coded(frames: np.ndarray, codec: str, options: dict[str, str]) -> np.ndarray:
    """Frames through an encoder and back; sides are padded to even lengths on the way."""
    import av

    height, width = frames.shape[1:3]
    even = np.pad(frames, ((0, 0), (0, height % 2), (0, width % 2), (0, 0)), mode="edge")
    file = io.BytesIO()
    with av.open(file, "w", format="mp4") as container:
        stream = container.add_stream(codec, rate=Fraction(30), options=options)
        stream.height, stream.width = even.shape[1:3]
        stream.pix_fmt = "yuv420p"
        for frame in even:
            container.mux(stream.encode(av.VideoFrame.from_ndarray(frame, "rgb24")))
        container.mux(stream.encode())
    file.seek(0)
    with av.open(file) as container:
        decoded = [frame.to_ndarray(format="rgb24") for frame in container.decode(video=0)]
    return np.stack(decoded)[:, :height, :width]
