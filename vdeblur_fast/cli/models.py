"""`vdeblur models`: the networks there are, what they cost, and what their weights have learnt."""

import argparse
import json
from functools import cache, partial
from pathlib import Path
from typing import TYPE_CHECKING

from .options import check_model

if TYPE_CHECKING:
    from torch import nn

HD = (720, 1280)  # the frame by which the papers count
COUNTS = Path(__file__).with_name("counts.json")  # of every network, for counting them takes long


def add_parser(subparsers) -> argparse.ArgumentParser:
    parser = subparsers.add_parser(
        "models",
        help="list the networks",
        description="Lists the networks: parameters, billions of multiply-accumulates (GMACs) for a frame of "
        "1280x720, and of the weights that ship: PSNR gained over the blurry input, file size, data.",
    )
    how = parser.add_mutually_exclusive_group()
    how.add_argument("--json", action="store_true", help="print JSON instead of a table")
    how.add_argument("--card", metavar="NAME", help="print the model card of one network's weights, as JSON")
    return parser


def execute(options: argparse.Namespace) -> None:
    from .. import weights
    from ..reference.networks import networks

    if options.card:
        check_model(options.card)
        print(json.dumps(weights.card(options.card), indent=2, ensure_ascii=False))
        return
    rows = [row(name) for name in networks()]
    print(json.dumps(rows, indent=2, ensure_ascii=False) if options.json else table(rows))


def row(name: str) -> dict:
    """What there is to know about a network; what only trained weights can tell is None where none ship."""
    from .. import weights

    shipped = name in weights.available()
    card = weights.card(name) if shipped else {}
    file = Path(weights.__file__).parent / f"{name}.safetensors"
    return {
        "name": name,
        **(counts().get(name) or count(name)),
        "weights": shipped,
        "psnr_gain": card.get("validation", {}).get("gain"),
        "file_bytes": file.stat().st_size if shipped and file.exists() else None,
        "trained_on": card.get("data"),
    }


@cache
def counts() -> dict[str, dict]:
    """What `count` says of every network, as `python -m bench.gmacs --ship` wrote it down; the tests count again."""
    return json.loads(COUNTS.read_text(encoding="utf-8"))


def count(name: str) -> dict:
    """The parameters and GMACs of a network, counted now."""
    import torch

    from ..reference.networks import build

    with torch.device("meta"):
        network = build(name)
    params = sum(parameter.numel() for parameter in network.parameters())
    return {"params": params, "gmacs_720p": round(gmacs(network), 3)}


def gmacs(network: "nn.Module") -> float:
    """Billions of multiply-accumulates for a frame of 1280x720 in the middle of a video; computes nothing.

    network: on the meta device.
    """
    import torch
    from torch.utils.flop_counter import FlopCounterMode

    from ..reference.networks import VideoNetwork

    frame = torch.empty(1, 3, *HD, device="meta")
    with torch.no_grad():
        work = network.steady_frame(frame) if isinstance(network, VideoNetwork) else partial(network, frame)
        with FlopCounterMode(display=False) as counter:
            work()
    return counter.get_total_flops() / 2e9


def table(rows: list[dict]) -> str:
    lines = [f"{'name':40}{'params':>11}{'GMACs 720p':>12}{'PSNR gain':>12}{'file':>10}  trained on"]
    for r in rows:
        line = f"{r['name']:40}{r['params']:>11,}{r['gmacs_720p']:>12.2f}"
        if r["weights"]:
            gain = "-" if r["psnr_gain"] is None else f"{r['psnr_gain']:+.2f} dB"
            size = "missing" if r["file_bytes"] is None else f"{r['file_bytes'] / 1e6:.2f} MB"
            line += f"{gain:>12}{size:>10}  {r['trained_on'] or '-'}"
        else:
            line += f"{'-':>12}{'-':>10}  no weights ship"
        lines.append(line)
    return "\n".join(lines)
