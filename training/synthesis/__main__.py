"""`python -m vdeblur_fast.training.synthesis DATA OUT`: writes the fixed validation set."""

import argparse
import sys
from pathlib import Path

from vdeblur_fast.errors import UserError

from .validation import write_validation


def main(arguments: list[str] | None = None) -> int:
    parser = argparse.ArgumentParser(prog="python -m vdeblur_fast.training.synthesis", description=__doc__)
    parser.add_argument("data", type=Path, help="folder of sharp clips and stills")
    parser.add_argument("out", type=Path, help="folder to write: blurry/NAME/0000.png and sharp/NAME/0000.png")
    parser.add_argument("--split", choices=["train", "val", "all"], default="val")
    parser.add_argument("--frames", type=int, default=12, help="frames of a sequence (default 12)")
    parser.add_argument("--seed", type=int, default=0)
    chosen = parser.parse_args(arguments)
    split = None if chosen.split == "all" else chosen.split
    if chosen.frames < 1:
        parser.error(f"--frames must be at least 1, got {chosen.frames}")
    try:
        count = write_validation(chosen.data, chosen.out, split, chosen.frames, seed=chosen.seed)
    except UserError as error:
        print(f"vdeblur: {error}", file=sys.stderr)
        return 2
    print(f"{chosen.out}: {count} sequences")
    return 0


if __name__ == "__main__":
    sys.exit(main())
