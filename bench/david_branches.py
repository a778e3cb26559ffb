"""DAVID's nets one after another and in lockstep: which way is faster on this machine, by the size of the frame.

python -m bench.david_branches [--network david] [--sides 16 32 64 128] [--device cpu]

`LOCKSTEP_PIXELS` of `reference/networks/david.py` is to be where the gain falls below 1. Both ways are checked to give
the same.
"""

import argparse
import time

import torch

from vdeblur_fast import build

SIDES = (16, 32, 48, 64, 96, 128, 192)


def measure(network, side: int, repeats: int) -> dict[bool, float]:
    """Milliseconds for an image, the best of `repeats`, by `lockstep`."""
    parameter = next(network.parameters())
    frame = torch.rand(1, 3, side, side).to(parameter, memory_format=torch.channels_last)
    window = [frame] * (network.past + 1 + network.future)
    images, best = [], {}
    with torch.inference_mode():
        for network.lockstep in (False, True):
            images.append(network.decode(window)[0])
            times = []
            for _ in range(repeats):
                start = time.perf_counter()
                network.decode(window)
                if frame.is_cuda:
                    torch.cuda.synchronize()
                times.append(time.perf_counter() - start)
            best[network.lockstep] = 1000 * min(times)
    torch.testing.assert_close(*images, rtol=1e-3, atol=1e-3)
    return best


def main(arguments: list[str] | None = None) -> None:
    parser = argparse.ArgumentParser(prog="python -m bench.david_branches", description=__doc__.splitlines()[0])
    parser.add_argument("--network", default="david")
    parser.add_argument("--sides", type=int, nargs="+", default=SIDES)
    parser.add_argument("--device", default="cuda" if torch.cuda.is_available() else "cpu")
    parser.add_argument("--repeats", type=int, default=5)
    options = parser.parse_args(arguments)
    network = build(options.network).eval().to(options.device, memory_format=torch.channels_last)
    where = torch.cuda.get_device_name() if options.device == "cuda" else f"{torch.get_num_threads()} CPU threads"
    print(f"{options.network}, float32, {where}, torch {torch.__version__}")
    print(f"{'frame':>9}{'one after another, ms':>24}{'lockstep, ms':>15}{'gain':>8}")
    for side in options.sides:
        best = measure(network, side, options.repeats)
        print(
            f"{side:>4}x{side:<4}{best[False]:>24.1f}{best[True]:>15.1f}{best[False] / best[True]:>7.2f}x", flush=True
        )


if __name__ == "__main__":
    main()
