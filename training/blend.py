"""`python -m vdeblur_fast.training.blend NETWORK BEFORE AFTER OUT`: weights between those that a training began with
and those that it ended with.

Weights of one origin can be averaged, and the average is often better than both, most of all where the training was on
other data: it keeps what they knew and has learned some of the new (Wortsman et al., "Robust fine-tuning of zero-shot
models", CVPR 2022).
"""

import argparse
import hashlib
import json
import sys
from pathlib import Path

import torch

from vdeblur_fast.errors import UserError, told
from vdeblur_fast.reference.networks import build, networks
from vdeblur_fast.weights import load_file

from .export import export, new_weights


def blend(before: dict[str, torch.Tensor], after: dict[str, torch.Tensor], share: float) -> dict[str, torch.Tensor]:
    """`share` of the way from one to the other, in float32; whole numbers, such as counters, are the latter's."""
    mixed = {name: torch.lerp(before[name].float(), value.float(), share) for name, value in after.items()}
    return {name: value if after[name].is_floating_point() else after[name] for name, value in mixed.items()}


@told("vdeblur")
def main(argv: list[str] | None = None) -> int | None:
    parser = argparse.ArgumentParser(prog="python -m vdeblur_fast.training.blend", description=__doc__.split("\n\n")[0])
    parser.add_argument("network", choices=networks(), metavar="NETWORK", help="the network that the weights are of")
    parser.add_argument("before", type=Path, metavar="BEFORE", help=".safetensors that the training began with")
    parser.add_argument("after", type=Path, metavar="AFTER", help=".safetensors that it ended with, its card beside it")
    parser.add_argument("out", type=Path, metavar="OUT", help="the .safetensors to write, and a card beside it")
    parser.add_argument("--share", type=float, default=0.5, metavar="F", help="how far from BEFORE to AFTER (0.5)")
    arguments = parser.parse_args(argv)
    if not 0 <= arguments.share <= 1:
        raise UserError(f"--share must be from 0 to 1, got {arguments.share}")
    new_weights(arguments.out)
    states = []
    for path in (arguments.before, arguments.after):
        load_file(network := build(arguments.network), path, arguments.network)
        states.append(network.state_dict())
    network.load_state_dict(blend(*states, arguments.share))
    beside = arguments.after.with_suffix(".json")
    card = json.loads(beside.read_text(encoding="utf-8")) if beside.exists() else {"network": arguments.network}
    origin = hashlib.sha256(arguments.before.read_bytes()).hexdigest()
    export(network, arguments.out, {**card, "blended": {"before": origin, "share": arguments.share}})
    print(f"{arguments.out}: {arguments.share:.0%} of the way from {arguments.before} to {arguments.after}")


if __name__ == "__main__":
    sys.exit(main())
