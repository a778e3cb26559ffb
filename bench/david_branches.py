"""DAVID's nets one after another and in lockstep: which way is faster on this machine, by the size of the frame.

python -m bench.david_branches [--network david] [--sides 16 32 64 128] [--device cpu]

`LOCKSTEP_PIXELS` of `reference/networks/david.py` is to be where the gain falls below 1. Both ways are checked to give
the same.
"""

import argparse
import sys
import time

import torch

from bench.sizes import MOST
from vdeblur_fast import build
from vdeblur_fast.cli.options import check_model, whole
from vdeblur_fast.device import choose_device
from vdeblur_fast.errors import UserError, told
from vdeblur_fast.reference.networks.david import DAVID

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


@told("bench.david_branches")
def main(arguments: list[str] | None = None) -> int | None:
    parser = argparse.ArgumentParser(prog="python -m bench.david_branches", description=__doc__.splitlines()[0])
    parser.add_argument("--network", default="david", metavar="NAME", help="david or david-small (%(default)s)")
    parser.add_argument("--sides", type=whole("--sides", 1, MOST), nargs="+", default=SIDES, metavar="PIXELS")
    parser.add_argument("--device", default="auto", help="auto, cpu, cuda or cuda:1")
    parser.add_argument("--repeats", type=whole("--repeats", 1), default=5, metavar="N", help="(%(default)s)")
    options = parser.parse_args(arguments)
    device = choose_device(options.device)
    check_model(options.network)
    network = build(options.network)
    if not isinstance(network, DAVID) or len(network.levels) * len(network.scales) < 2:
        raise UserError(f"--network {options.network} has no nets to run in lockstep; choose david or david-small")
    if odd := [side for side in options.sides if side % network.multiple]:
        raise UserError(f"--sides {odd[0]}: {options.network} takes multiples of {network.multiple}; name one")
    network = network.eval().to(device, memory_format=torch.channels_last)
    where = torch.cuda.get_device_name(device) if device.type == "cuda" else f"{torch.get_num_threads()} CPU threads"
    print(f"{options.network}, float32, {where}, torch {torch.__version__}")
    print(f"{'frame':>9}{'one after another, ms':>24}{'lockstep, ms':>15}{'gain':>8}")
    for side in options.sides:
        best = measure(network, side, options.repeats)
        print(
            f"{side:>4}x{side:<4}{best[False]:>24.1f}{best[True]:>15.1f}{best[False] / best[True]:>7.2f}x", flush=True
        )


if __name__ == "__main__":
    sys.exit(main())
