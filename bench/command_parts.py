"""What reading, computing and writing a frame take, each alone, with the package's own reader, engine and writer."""

import time
from itertools import islice
from pathlib import Path

import torch

from bench.filled import filled
from vdeblur_fast import Deblurrer
from vdeblur_fast.video import open_reader, open_writer


def alone(
    source: Path, target: Path, network: str, accelerate: bool, precision: str, threads: int, most: int
) -> dict[str, float]:
    """Milliseconds for a frame of `source`, over its first `most` frames; `target` is written and removed."""
    torch.set_num_threads(threads)
    began = time.perf_counter()
    reader = open_reader(source)
    frames = list(islice(reader, most))
    decoded = time.perf_counter()
    writer = open_writer(target, source=reader)
    for frame in frames:
        writer.write(frame)
    writer.close()
    encoded = time.perf_counter()
    target.unlink()
    deblurrer = Deblurrer(filled(network), accelerate=accelerate, precision=precision)
    reach = deblurrer.network.past + deblurrer.network.future + 1
    for frame in frames[:reach]:  # the first ones compute what later ones find ready
        deblurrer.push(frame.image)
    steady = frames[reach:] or frames
    computing = time.perf_counter()
    for frame in steady:
        deblurrer.push(frame.image)
    spent = {
        "decode_ms": (decoded - began) / len(frames),
        "network_ms": (time.perf_counter() - computing) / len(steady),
        "encode_ms": (encoded - decoded) / len(frames),
    }
    return {part: 1e3 * seconds for part, seconds in spent.items()}
