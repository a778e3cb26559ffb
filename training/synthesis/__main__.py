"""`python -m vdeblur_fast.training.synthesis DATA OUT`: writes the fixed validation set; with --sheet OUT.png, a
picture of training samples to look at."""

import argparse
import sys
from pathlib import Path

from vdeblur_fast.errors import told

from ..arguments import positive, seed
from .dataset import SynthesisDataset
from .sheet import contact_sheet
from .validation import write_validation
from .variety import Variety


@told("vdeblur")
def main(arguments: list[str] | None = None) -> int | None:
    parser = argparse.ArgumentParser(prog="python -m vdeblur_fast.training.synthesis", description=__doc__)
    parser.add_argument("data", type=Path, help="folder of sharp clips and stills")
    parser.add_argument("out", type=Path, help="folder to write: blurry/NAME/0000.png and sharp/NAME/0000.png")
    parser.add_argument("--split", choices=["train", "val", "all"], default="val")
    parser.add_argument("--frames", type=positive, default=12, metavar="N", help="frames of a sequence (default 12)")
    parser.add_argument("--seed", type=seed, default=0, metavar="N")
    parser.add_argument(
        "--all-kinds", action="store_true", help="sequences of every kind of blur, named after it; samples of all kinds"
    )
    parser.add_argument("--sheet", type=int, metavar="N", help="write N training samples as one picture OUT instead")
    parser.add_argument("--crop", type=int, default=160, help="side of a sample on the sheet (default 160)")
    chosen = parser.parse_args(arguments)
    split = None if chosen.split == "all" else chosen.split
    if chosen.frames < 1:
        parser.error(f"--frames must be at least 1, got {chosen.frames}")
    if chosen.sheet:
        variety = Variety() if chosen.all_kinds else None
        samples = SynthesisDataset(chosen.data, split, 5, chosen.crop, chosen.seed, variety=variety)
        contact_sheet(samples, chosen.out, chosen.sheet)
        return 0
    count = write_validation(
        chosen.data, chosen.out, split, chosen.frames, seed=chosen.seed, all_kinds=chosen.all_kinds
    )
    print(f"{chosen.out}: {count} sequences")


if __name__ == "__main__":
    sys.exit(main())
