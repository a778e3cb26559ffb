"""`vdeblur convert`: a checkpoint of the published MMP-RNN or ESTRNN code becomes a weights file of ours."""

import argparse
import sys
import warnings
from pathlib import Path
from typing import TYPE_CHECKING

from .options import OptionError, check_model

if TYPE_CHECKING:
    from ..weights import MisfitError


def add_parser(subparsers) -> argparse.ArgumentParser:
    parser = subparsers.add_parser(
        "convert",
        help="take over weights that others have published",
        description="Turns a checkpoint of the published MMP-RNN, ESTRNN or MMP-Net code into a weights file for "
        "`vdeblur run --weights`. Nothing in the checkpoint is run. MMP-RNN's is for the models mmp-rnn-*-released.",
    )
    add = parser.add_argument
    add("checkpoint", metavar="CHECKPOINT", help="a PyTorch checkpoint (.pth.tar, .pth, .pt) or a .safetensors file")
    add("output", metavar="OUT.safetensors", help="the weights file to write")
    add("--model", required=True, metavar="NAME", help="the network that it is for; see `vdeblur models`")
    add("--bgr", action="store_true", help="it was trained on frames read by OpenCV, as those for BSD were")
    add("--list", action="store_true", help="where it does not fit, list every tensor that does not")
    add("--overwrite", action="store_true", help="replace an output that exists")
    add("--quiet", action="store_true", help="print errors only")
    return parser


def execute(options: argparse.Namespace) -> None:
    from ..video.atomic import AtomicOutput
    from ..weights import MisfitError

    check_model(options.model)
    path = Path(options.output)
    if path.suffix.lower() != ".safetensors":
        raise OptionError(f"the output must end in .safetensors, for that is what is written; got {path}")
    output = AtomicOutput(path, Path(options.checkpoint), options.overwrite)
    try:
        numbers = write(options, output.temporary)
        output.commit()
    except MisfitError as misfit:
        if options.list:
            print_misfit(misfit)
        raise
    finally:
        output.discard()
    if not options.quiet:
        print(f"{numbers:,} numbers for {options.model} -> {path}")


def write(options: argparse.Namespace, path: Path) -> int:
    """Converts the checkpoint, writes it to `path` and returns how many numbers it has."""
    from safetensors.torch import save

    from ..weights import convert

    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always", UserWarning)
        weights = convert(options.checkpoint, options.model, colours="bgr" if options.bgr else "rgb")
    for warning in caught if not options.quiet else ():
        print(f"vdeblur: {warning.message}", file=sys.stderr)
    path.write_bytes(save(weights, {"network": options.model, "converted_from": Path(options.checkpoint).name}))
    return sum(tensor.numel() for tensor in weights.values())


def print_misfit(misfit: "MisfitError") -> None:
    pairing = misfit.pairing
    for name in pairing.missing:
        print(f"missing     {name}")
    for name in pairing.unexpected:
        print(f"unexpected  {name}")
    for name, problem in pairing.misshapen.items():
        print(f"misshapen   {name}: {problem}")
