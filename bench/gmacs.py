"""Parameters and GMACs of every network beside the figures its paper prints.

python -m bench.gmacs [--width 1280] [--height 720] [--json]
"""

import argparse
import json

from bench.counting import count
from vdeblur_fast import build, networks

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
}
NOTES = {
    "mmp-rnn-a7b8c16": "the paper's figure is, digit for digit, that of ESTRNN C80B15: most likely a slip there",
    "mmp-rnn-tiny": "ours: not in the paper",
    "mmp-net-tiny": "ours: not in the paper",
}


def row(name: str, width: int, height: int) -> dict:
    counted = count(build(name), width, height)
    params, gmacs = PAPER.get(name, (None, None)) if (width, height) == (1280, 720) else (None, None)
    return {
        "network": name,
        "params": counted.params,
        "paper_params_millions": params,
        "paper_rule_gmacs": round(counted.paper_gmacs, 3),
        "paper_gmacs": gmacs,
        "deviation_percent": None if gmacs is None else round(100 * (counted.paper_gmacs / gmacs - 1), 3),
        "true_gmacs": round(counted.true_gmacs, 3),
        "note": NOTES.get(name, ""),
    }


def table(rows: list[dict]) -> str:
    heads = ("network", "params", "paper M", "GMACs, paper rule", "paper", "off by", "true GMACs")
    widths = (34, 10, 9, 19, 9, 10, 12)
    lines = ["".join(f"{head:<{w}}" if w == 34 else f"{head:>{w}}" for head, w in zip(heads, widths, strict=True))]
    for r in rows:
        millions, gmacs, off = (r[key] for key in ("paper_params_millions", "paper_gmacs", "deviation_percent"))
        cells = (
            f"{r['network']:34}",
            f"{r['params']:>10,}",
            f"{millions:9.2f}" if millions else f"{'-':>9}",
            f"{r['paper_rule_gmacs']:19.3f}",
            f"{gmacs:9.2f}{off:+9.3f}%" if gmacs else f"{'-':>9}{'-':>10}",
            f"{r['true_gmacs']:12.2f}",
            f"  {r['note']}",
        )
        lines.append("".join(cells).rstrip())
    return "\n".join(lines)


def main(arguments: list[str] | None = None) -> None:
    parser = argparse.ArgumentParser(prog="python -m bench.gmacs", description=__doc__.splitlines()[0])
    parser.add_argument("--width", type=int, default=1280)
    parser.add_argument("--height", type=int, default=720)
    parser.add_argument("--json", action="store_true", help="print JSON instead of a table")
    options = parser.parse_args(arguments)
    rows = [row(name, options.width, options.height) for name in networks()]
    if options.json:
        print(json.dumps({"width": options.width, "height": options.height, "networks": rows}, indent=2))
        return
    print(f"One frame of {options.width}x{options.height} in the middle of a video.")
    print(table(rows))


if __name__ == "__main__":
    main()
