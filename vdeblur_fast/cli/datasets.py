"""The data sets of the papers: which of their clips are measured, how, and what the papers print."""

from pathlib import Path
from typing import NamedTuple

from ..errors import UserError
from .pairs import Pair


class Row(NamedTuple):
    """What a paper prints of a network: PSNR in dB and SSIM on a data set, millions of parameters and GMACs for a frame
    of 1280x720; None where it prints none."""

    psnr: float
    ssim: float | None = None
    params: float | None = None
    gmacs: float | None = None


# MMP-RNN Tables 2 to 4, GSTA Tables 1 to 3, DAVID Table 3.
PRINTED = {
    "GOPRO_Large": {
        "mmp-rnn-a3b4c16": Row(30.48, 0.9021, 1.97, 136.42),
        "mmp-rnn-a7b8c16": Row(31.71, 0.9225, 3.05, 204.19),
        "mmp-rnn-a9b10c18": Row(32.64, 0.9359, 4.05, 264.52),
        "mmp-rnn-a9b10c18-no-mmam": Row(32.33, gmacs=225.34),
        "mmp-rnn-a9b10c18-no-mmam-no-ndf": Row(32.06, gmacs=227.21),
        "estrnn-c70b7": Row(29.93, 0.8903, 1.17, 115.19),
        "estrnn-c90b10": Row(31.02, 0.9109, 2.38, 215.26),
        "strcnn-dtb": Row(26.82, 0.8245),
        "gsta-net": Row(32.10, 0.96),
        "gsta-net1": Row(30.70),
        "gsta-net2": Row(31.40),
        "gsta-net3": Row(31.61),
        "gsta-net4": Row(32.10),
        "gsta-net5": Row(31.17),
    },
    "BSD 2ms16ms": {
        "mmp-rnn-a8b9c18": Row(32.79, 0.9365, gmacs=247.41),
        "mmp-rnn-a9b10c18": Row(32.81, 0.9369, gmacs=264.52),
        "mmp-rnn-a8b9c18-no-mmam": Row(32.16, gmacs=208.23),
        "mmp-rnn-a8b9c18-no-mmam-no-ndf": Row(32.03, gmacs=210.09),
        "estrnn-c90b10": Row(31.80, 0.9245, gmacs=215.26),
    },
    "DVD": {
        "strcnn-dtb": Row(29.95, 0.8692),
        "gsta-net": Row(32.53, 0.9468),
        "david": Row(31.99),
        "david-internal": Row(31.65),
        "david-external": Row(31.71),
    },
}


def dataset_pairs(folder: Path) -> tuple[str, list[Pair]]:
    """The name of the data set in `folder`, and the clips of its test part.

    Raises UserError for a folder that is laid out as none of them, or is not whole.
    """
    from ..training.layouts import HIGH_SPEED, find_layout

    if not folder.is_dir():
        raise UserError(f"{folder} is no folder; give the one that a data set was unpacked into")
    layout = find_layout(folder)
    if layout is None:
        raise UserError(
            f"{folder} is laid out as none of GOPRO_Large, DVD and BSD; for other clips give --blurry and --sharp"
        )
    if layout.name == HIGH_SPEED:
        raise UserError(f"{folder} is {HIGH_SPEED}, sharp frames alone; give GOPRO_Large, which is measured on")
    return layout.name, [Pair(scene.name, scene.blurry, scene.sharp) for scene in layout.scenes("test")]


def border_of(network: str) -> int:
    """Frames at each end of a clip that do not count: MMP-RNN and ESTRNN give no output there, which leaves 1067 of
    GOPRO_Large's 1111 frames. The other papers leave none out (DAVID section 4.2: all frames)."""
    return 2 if network.startswith(("mmp-rnn", "estrnn")) else 0


def weighs_frames(dataset: str) -> bool:
    """Whether every frame counts the same, as in MMP-RNN's and ESTRNN's code, or every clip, as in DAVID's tables."""
    return dataset != "DVD"


def row(dataset: str, network: str, psnr: float, ssim: float) -> dict:
    """A line of a paper's table, ours and the paper's."""
    from .models import count, counts

    mine = counts().get(network) or count(network)
    printed = PRINTED.get(dataset, {}).get(network)
    return {
        "dataset": dataset,
        "network": network,
        "psnr": round(psnr, 4),
        "ssim": round(ssim, 5),
        "params": round(mine["params"] / 1e6, 2),
        "gmacs": round(mine["gmacs_720p"], 2),
        "paper": printed._asdict() if printed else None,
    }


def row_text(row: dict) -> str:
    """The same as three lines: titles, ours, the paper's."""
    paper = row["paper"] or dict.fromkeys(Row._fields)
    wide = max(len(row["network"]), len("the paper"))
    lines = [f"{row['dataset']:{wide}}  {'PSNR':>7}{'SSIM':>9}{'GMACs':>10}{'params, M':>11}"]
    for name, values in ((row["network"], row), ("the paper", paper)):
        cells = [(values["psnr"], 7, 2), (values["ssim"], 9, 4), (values["gmacs"], 10, 2), (values["params"], 11, 2)]
        lines.append(
            f"{name:{wide}}  " + "".join(f"{'-':>{w}}" if v is None else f"{v:>{w}.{d}f}" for v, w, d in cells)
        )
    return "\n".join(lines)
