"""`python -m vdeblur_fast.training.prepare RECIPE --data DIR --out FOLDER`: makes training samples beforehand."""

import argparse
import sys
from pathlib import Path

from vdeblur_fast.errors import told

from .arguments import count, positive, seed
from .data import clips_of
from .prepared import prepare
from .recipes import find
from .settings import SET, changed


def parser() -> argparse.ArgumentParser:
    made = argparse.ArgumentParser(prog="python -m vdeblur_fast.training.prepare", description=__doc__)
    add = made.add_argument
    add("recipe", metavar="RECIPE", help="what the samples are for: its frames, exposures, noise and compression")
    add("--data", type=Path, required=True, metavar="DIR", help="folder of sharp clips and stills")
    add("--out", type=Path, required=True, metavar="FOLDER", help="where the samples go")
    add("--samples", type=positive, default=10_000, metavar="N", help="how many (default 10000)")
    add("--crop", type=positive, metavar="N", help="side in pixels (default: the recipe's and a third more)")
    add("--seed", type=seed, default=0, metavar="N")
    add("--set", help="a setting of the recipe that its samples depend on, such as varied=true", **SET)
    add("--workers", type=count, default=2, metavar="N", help="processes that make them (default 2)")
    return made


@told("vdeblur")
def main(argv: list[str] | None = None) -> int | None:
    arguments = parser().parse_args(argv)
    recipe = changed(find(arguments.recipe), arguments.set)
    crop = arguments.crop or recipe.crop * 4 // 3
    clips = clips_of(arguments.data, "train", recipe, crop, arguments.seed, arguments.samples)
    about = {"recipe": recipe.name, "data": arguments.data.resolve().name, "seed": arguments.seed, "set": arguments.set}
    prepare(clips, arguments.out, arguments.samples, arguments.workers, about)


if __name__ == "__main__":
    sys.exit(main())
