"""What somebody writes who has a network and a clip but no engine; `bench.command` runs it beside `vdeblur run`.

python -m bench.plain_loop IN OUT NETWORK [--precision fp32]
                                  prints JSON: how many frames, and the milliseconds that each part took

As published code does it: twenty frames are read, padded where the network takes multiples only, computed as one clip
by the plain network and written, then the next twenty, one thing after the other. Written as ours are, H.264 of the
same quality and preset.
"""

import argparse
import json
import sys
import time
from collections import Counter
from itertools import islice
from pathlib import Path

from vdeblur_fast.cli.options import check_model
from vdeblur_fast.errors import UserError, told

WINDOW = 20
ENCODER = {"crf": "16", "preset": "medium"}
PRECISIONS = "fp32", "bf16", "fp16"


def loop(source: str, target: str, name: str, precision: str) -> None:
    import av
    import torch
    from torch.nn.functional import pad

    from bench.filled import filled
    from bench.sizes import fitting
    from vdeblur_fast.device import PRECISIONS as TYPES

    network = filled(name).to(TYPES[precision])
    spent: Counter[str] = Counter()
    frames = 0
    with av.open(source) as reader, av.open(target, "w") as writer, torch.inference_mode():
        video = reader.streams.video[0]
        width, height = video.width, video.height
        padded = fitting(network, width, height)
        right, below = padded[0] - width, padded[1] - height
        out = writer.add_stream("libx264", rate=video.average_rate, options=ENCODER)
        out.width, out.height, out.pix_fmt = width, height, "yuv420p"
        decoded = reader.decode(video)
        while True:
            began = time.perf_counter()
            images = [torch.from_numpy(frame.to_ndarray(format="rgb24")) for frame in islice(decoded, WINDOW)]
            spent["decode_ms"] += 1e3 * (time.perf_counter() - began)
            if not images:
                break
            began = time.perf_counter()
            clip = torch.stack(images).permute(0, 3, 1, 2).float().div(255)
            clip = pad(clip, (0, right, 0, below), mode="replicate").to(TYPES[precision])
            sharp = network(clip[None])[0, :, :, :height, :width].float().clamp(0, 1).mul(255).round().byte()
            sharp = sharp.permute(0, 2, 3, 1).contiguous()
            spent["network_ms"] += 1e3 * (time.perf_counter() - began)
            began = time.perf_counter()
            for image in sharp.numpy():
                writer.mux(out.encode(av.VideoFrame.from_ndarray(image, format="rgb24")))
            spent["encode_ms"] += 1e3 * (time.perf_counter() - began)
            frames += len(images)
        began = time.perf_counter()
        writer.mux(out.encode())
        spent["encode_ms"] += 1e3 * (time.perf_counter() - began)
    print(json.dumps({"frames": frames, **{part: took / frames for part, took in spent.items()}}))


@told("bench.plain_loop")
def main(arguments: list[str] | None = None) -> int | None:
    parser = argparse.ArgumentParser(prog="python -m bench.plain_loop", description=__doc__.splitlines()[0])
    parser.add_argument("source", metavar="IN", help="a video")
    parser.add_argument("target", metavar="OUT", help="the video to write, H.264")
    parser.add_argument("network", metavar="NETWORK", help="`vdeblur models` lists them")
    parser.add_argument("--precision", choices=PRECISIONS, default="fp32", help="(%(default)s)")
    options = parser.parse_args(arguments)
    check_model(options.network)
    if not Path(options.source).is_file():
        raise UserError(f"{options.source} is no file; name a video")
    loop(options.source, options.target, options.network, options.precision)


if __name__ == "__main__":
    sys.exit(main())
