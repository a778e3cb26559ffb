"""Parameters and GMACs of every network, and of those the papers compare with, beside the printed figures.

python -m bench.gmacs [--width 1280] [--height 720] [--json] [--csv FILE]
python -m bench.gmacs --ship    # writes down what `vdeblur models` says, after a network was added or changed
"""

import argparse
import json
import sys
from pathlib import Path

import torch
from torch import nn

from bench.counting import count
from bench.outputs import check_file
from bench.provenance import provenance, write_csv
from bench.sizes import MOST, fitting
from vdeblur_fast import build, networks
from vdeblur_fast.cli import models
from vdeblur_fast.cli.options import whole
from vdeblur_fast.errors import told
from vdeblur_fast.reference.comparators import COMPARATORS, PWCNet
from vdeblur_fast.reference.networks.registry import MMP_RNN_SIZES

# (millions of parameters, GMACs at 1280x720) as printed in MMP-RNN's text and Tables 2 to 4
PAPER = {
    "mmp-net": (0.85, 38.81),
    "mmp-rnn-a3b4c16": (1.97, 136.42),
    "mmp-rnn-a7b8c16": (3.05, 204.19),
    "mmp-rnn-a8b9c18": (None, 247.41),
    "mmp-rnn-a9b10c18": (4.05, 264.52),
    "mmp-rnn-a8b9c18-no-mmam": (None, 208.23),
    "mmp-rnn-a8b9c18-no-mmam-no-ndf": (None, 210.09),
    "mmp-rnn-a9b10c18-no-mmam": (None, 225.34),
    "mmp-rnn-a9b10c18-no-mmam-no-ndf": (None, 227.21),
    "estrnn-c70b7": (1.17, 115.19),
    "estrnn-c90b10": (2.38, 215.26),
    "srn": (10.25, 1527.01),
    "dbn": (15.31, 784.75),
    "ifirnn-c2h3": (1.64, 217.89),
    "cdvd-tsp": (16.19, 5122.25),
    "pwc-net": (None, 181.68),
}
TABLE_2 = """srn dbn ifirnn-c2h3 estrnn-c70b7 estrnn-c90b10 cdvd-tsp
mmp-rnn-a3b4c16 mmp-rnn-a7b8c16 mmp-rnn-a9b10c18"""
TABLE_3 = "dbn ifirnn-c2h3 estrnn-c90b10 cdvd-tsp mmp-rnn-a8b9c18 mmp-rnn-a9b10c18"
TABLE_4 = """mmp-rnn-a9b10c18 mmp-rnn-a9b10c18-no-mmam mmp-rnn-a9b10c18-no-mmam-no-ndf
mmp-rnn-a8b9c18 mmp-rnn-a8b9c18-no-mmam mmp-rnn-a8b9c18-no-mmam-no-ndf"""
TABLES = {2: TABLE_2.split(), 3: TABLE_3.split(), 4: TABLE_4.split()}
# DBN's figure is that of the thop of December 2019, which counts 4 for each element of a batch norm; the others' is 2
BATCH_NORM = {"dbn": 4}
NOTES = {
    "mmp-rnn-a7b8c16": "the paper's figure is, digit for digit, that of ESTRNN C80B15: most likely a slip there",
    "mmp-rnn-tiny": "ours: not in the paper",
    "mmp-net-tiny": "ours: not in the paper",
    "dbn": "batch norm counted as 4 for each element, as the thop of 2019 did; with the others' 2 it is 783.886",
    "estrnn-c80b15": "what the authors' code trains when nothing else is asked for",
    "pwc-net": "a pair of frames; the flow of cdvd-tsp, which calls it eight times for an output",
}
# Papers that print no counts, or not even widths: the layer tables, and so the counts, are ours or read elsewhere.
FAMILIES = {
    "gsta-net": "widths are ours: the paper prints none",
    "david": "widths are ours: the paper prints none",
    "strcnn": "the paper prints no counts",
    "cnn": "the paper prints no counts",
    **{f"mmp-rnn-{size}-released": "the published code, which is not what was counted" for size in MMP_RNN_SIZES},
}


class Pair(nn.Module):
    """PWC-Net on a frame and itself, for a counter that has one frame."""

    def __init__(self):
        super().__init__()
        self.flow = PWCNet()

    def forward(self, frame):
        return self.flow(frame, frame)


def make(name: str) -> nn.Module:
    if name == "pwc-net":
        return Pair()
    return COMPARATORS[name]() if name in COMPARATORS else build(name)


def deviation(found: float, printed: float | None) -> float | None:
    """Per cent."""
    return None if printed is None else round(100 * (found / printed - 1), 3)


def row(name: str, width: int, height: int) -> dict:
    """width, height: rounded up where the network takes multiples only; the note says so."""
    with torch.device("meta"):
        network = make(name)
    size = fitting(network, width, height)
    counted = count(network, *size, BATCH_NORM.get(name, 2))
    rounded = "" if size == (width, height) else f"of {size[0]}x{size[1]}, which it is padded to"
    note = NOTES.get(name) or next((note for start, note in FAMILIES.items() if name.startswith(start)), "")
    params, gmacs = PAPER.get(name, (None, None)) if (width, height) == (1280, 720) else (None, None)
    return {
        "network": name,
        "tables": [table for table, names in TABLES.items() if name in names],
        "params": counted.params,
        "paper_params_millions": params,
        "params_deviation_percent": deviation(counted.params / 1e6, params),
        "paper_rule_gmacs": round(counted.paper_gmacs, 3),
        "paper_gmacs": gmacs,
        "deviation_percent": deviation(counted.paper_gmacs, gmacs),
        "true_gmacs": round(counted.true_gmacs, 3),
        "note": "; ".join(filter(None, (rounded, note))),
    }


# column: its width and where its figure stands in a row
COLUMNS = {
    "tables": (8, lambda r: ", ".join(map(str, r["tables"]))),
    "params": (12, lambda r: f"{r['params']:,}"),
    "printed M": (11, lambda r: _or_dash(r["paper_params_millions"], ".2f")),
    "off by": (10, lambda r: _or_dash(r["params_deviation_percent"], "+.3f", "%")),
    "GMACs, paper's rule": (21, lambda r: f"{r['paper_rule_gmacs']:.3f}"),
    "printed": (10, lambda r: _or_dash(r["paper_gmacs"], ".2f")),
    "off by ": (10, lambda r: _or_dash(r["deviation_percent"], "+.3f", "%")),
    "true GMACs": (12, lambda r: f"{r['true_gmacs']:.2f}"),
}


def _or_dash(figure: float | None, form: str, unit: str = "") -> str:
    return "-" if figure is None else format(figure, form) + unit


def table(rows: list[dict]) -> str:
    lines = [f"{'network':40}" + "".join(f"{head.strip():>{wide}}" for head, (wide, _) in COLUMNS.items())]
    for r in rows:
        cells = "".join(f"{cell(r):>{wide}}" for wide, cell in COLUMNS.values())
        lines.append(f"{r['network']:40}{cells}  {r['note']}".rstrip())
    return "\n".join(lines)


def ship() -> None:
    counts = (f"{json.dumps(name)}: {json.dumps(models.count(name))}" for name in networks())
    models.COUNTS.write_text("{\n" + ",\n".join(counts) + "\n}\n", encoding="utf-8")


@told("bench.gmacs")
def main(arguments: list[str] | None = None) -> int | None:
    parser = argparse.ArgumentParser(prog="python -m bench.gmacs", description=__doc__.splitlines()[0])
    parser.add_argument("--width", type=whole("--width", 1, MOST), default=1280, help="(%(default)s)")
    parser.add_argument("--height", type=whole("--height", 1, MOST), default=720, help="(%(default)s)")
    parser.add_argument("--json", action="store_true", help="print JSON instead of a table")
    parser.add_argument("--csv", type=Path, metavar="FILE", help="also write the rows to this file")
    parser.add_argument("--ship", action="store_true", help="write the counts that `vdeblur models` shows")
    options = parser.parse_args(arguments)
    if options.ship:
        ship()
        return
    if options.csv:
        check_file(options.csv, "--csv")
    rows = [row(name, options.width, options.height) for name in (*networks(), *COMPARATORS)]
    if options.csv:
        write_csv(options.csv, [r | {"tables": " ".join(map(str, r["tables"]))} | provenance("cpu") for r in rows])
    if options.json:
        print(json.dumps({"width": options.width, "height": options.height, "networks": rows}, indent=2))
        return
    print(
        f"One frame of {options.width}x{options.height} in the middle of a video. Printed: MMP-RNN's Tables 2, 3 and 4."
    )
    print(table(rows))


if __name__ == "__main__":
    sys.exit(main())
