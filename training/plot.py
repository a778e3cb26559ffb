"""The curves of a training, from its log: `python -m vdeblur_fast.training.plot runs/mmp-rnn-tiny`."""

import argparse
import sys
from pathlib import Path

from vdeblur_fast.errors import UserError, told

from .checkpoint import written_whole
from .log import read

HIDDEN = {"step", "seconds", "lr", "gradient_norm"}


def plot(log: Path, picture: Path) -> None:
    """Draws the losses and the validation of a log.csv over the steps into a PNG.

    Raises UserError for a log that is missing or empty, and where matplotlib is not installed.
    """
    try:
        from matplotlib.figure import Figure
    except ImportError as error:
        raise UserError("plots need matplotlib: pip install matplotlib") from error
    if not log.is_file():
        raise UserError(f"{log} does not exist; give the folder of a training")
    if not (rows := read(log)):
        raise UserError(f"{log} has no rows yet; give the folder of a training that has run for a while")
    columns = {name for row in rows for name in row} - HIDDEN
    panels = {
        "training": sorted(name for name in columns if not name.startswith("val_")),
        "validation": sorted(name for name in columns if name.startswith("val_")),
    }
    panels = {title: names for title, names in panels.items() if names}
    figure = Figure(figsize=(6.4 * len(panels), 4.2), layout="constrained")
    for axes, (title, names) in zip(figure.subplots(1, len(panels), squeeze=False)[0], panels.items(), strict=True):
        for name in names:
            points = [(row["step"], row[name]) for row in rows if name in row]
            axes.plot(*zip(*points, strict=True), label=name.removeprefix("val_"), marker="." * (len(points) < 50))
        axes.set(title=title, xlabel="step", yscale="log" if title == "training" else "linear")
        axes.grid(alpha=0.3)
        axes.legend()
    with written_whole(picture) as part:
        figure.savefig(part, format="png", dpi=100)


@told("vdeblur")
def main(argv: list[str] | None = None) -> int | None:
    """Draws curves.png beside the log.csv of each folder given."""
    parser = argparse.ArgumentParser(prog="python -m vdeblur_fast.training.plot", description=__doc__)
    parser.add_argument("folders", nargs="+", type=Path, metavar="FOLDER", help="--out of a training")
    folders = parser.parse_args(argv).folders
    for folder in folders:
        plot(folder / "log.csv", folder / "curves.png")
        print(folder / "curves.png")


if __name__ == "__main__":
    sys.exit(main())
