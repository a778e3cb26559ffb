"""What somebody writes who has a network and a clip but no engine; `bench.command` runs it beside `vdeblur run`.

python -m bench.plain_loop IN OUT NETWORK     prints JSON: how many frames, and the milliseconds that each part took

As published code does it: twenty frames are read, computed as one clip by the plain network and written, then the next
twenty, one thing after the other. Written as ours are, H.264 of the same quality and preset.
"""

import json
import sys
import time
from collections import Counter
from itertools import islice

WINDOW = 20
ENCODER = {"crf": "16", "preset": "medium"}


def main(source: str, target: str, name: str) -> None:
    import av
    import torch

    from bench.filled import filled

    network = filled(name)
    spent: Counter[str] = Counter()
    frames = 0
    with av.open(source) as reader, av.open(target, "w") as writer, torch.inference_mode():
        video = reader.streams.video[0]
        out = writer.add_stream("libx264", rate=video.average_rate, options=ENCODER)
        out.width, out.height, out.pix_fmt = video.width, video.height, "yuv420p"
        decoded = reader.decode(video)
        while True:
            began = time.perf_counter()
            images = [torch.from_numpy(frame.to_ndarray(format="rgb24")) for frame in islice(decoded, WINDOW)]
            spent["decode_ms"] += 1e3 * (time.perf_counter() - began)
            if not images:
                break
            began = time.perf_counter()
            clip = torch.stack(images).permute(0, 3, 1, 2).float().div(255)
            sharp = network(clip[None])[0].clamp(0, 1).mul(255).round().byte().permute(0, 2, 3, 1).contiguous()
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


if __name__ == "__main__":
    main(*sys.argv[1:])
