"""A clip for measurements, made on the spot: a window that moves over a photograph."""

from fractions import Fraction
from pathlib import Path

RATE = 30


def make_clip(path: Path, width: int, height: int, frames: int) -> None:
    """H.264, 8-bit 4:2:0, 30 frames a second; the photograph is NASA's of Eileen Collins, which scikit-image ships."""
    import av
    import cv2
    from skimage import data

    photograph = data.astronaut()
    scale = 1.25 * max(width, height) / len(photograph)
    photograph = cv2.resize(photograph, None, fx=scale, fy=scale, interpolation=cv2.INTER_CUBIC)
    right, down = photograph.shape[1] - width, photograph.shape[0] - height
    with av.open(str(path), "w") as container:
        stream = container.add_stream("libx264", rate=RATE, options={"crf": "18", "preset": "veryfast"})
        stream.width, stream.height, stream.pix_fmt = width, height, "yuv420p"
        stream.time_base = Fraction(1, RATE)
        for i in range(frames):
            x, y = (int(room * i / max(frames - 1, 1)) for room in (right, down))
            window = photograph[y : y + height, x : x + width]
            container.mux(stream.encode(av.VideoFrame.from_ndarray(window, "rgb24")))
        container.mux(stream.encode())
