"""What the published code of MMP-RNN and ESTRNN calls the tensors of our networks.

The names and shapes (nothing else is taken) are those of the modules in

* github.com/sollynoay/MMP-RNN at commit f2d8ce3 (2022-10-20), MMP-RNN/model/MMPRNN.py and
  MMP-RNN/MMP-RNN/model/UNet.py;
* github.com/zzh-tech/ESTRNN at commit 43303f3, model/ESTRNN.py.

Their trainers save {"state_dict": ...} of a DataParallel around a class that holds the network as `model`, so every
name begins with "module.model."; the checkpoint of MMP-Net has no prefix. The names are read off the code: no file of
theirs has been loaded, for they lie on Google Drive only.

Where the computations could differ, and do not:

* frames: both centre and scale them, (v - 127.5) / 255, which is our v - 0.5 of v in 0..1; the output comes back the
  same way. MMP-Net gets the same frame. (ESTRNN's first code, of 2020, does not divide by 255, and has ReLU.)
* colours: GOPRO's frames are RGB as ours, but both read BSD with OpenCV, as BGR: `convert(..., colours="bgr")`.
* order: the features of a frame stand before those of the frame before and the hidden state; the five frames' features
  are in time order, and in ESTRNN the middle frame's stand last. The states begin as zeros.
* MMP-Net's batch norm: theirs goes on learning its statistics while MMP-RNN trains, and those are in the checkpoint of
  MMP-RNN, as `cell.prior`; they are the ones that are taken.
* channel attention: their code builds it from the first day (32006b3, July 2022) and calls it since f2d8ce3. Which of
  the two a checkpoint was trained with does not show in it: `mmp-rnn-...-released` calls it,
  `mmp-rnn-...-released-no-attention` leaves it out.

What differs: theirs give no output for the first and last two frames of a clip and begin anew every 20 frames; ours
repeat the features at the ends and carry the state on (`--mode windows` does as they do).
"""

import re
from dataclasses import dataclass

import torch
from torch import nn

from ..reference.networks import ESTRNN, MMPRNN, MMPNet

# Our name -> theirs, or (theirs, the table for what is inside); * stands for a number; the first that fits counts.
Names = dict[str, "str | tuple[str, Names]"]

RDB: Names = {"dense.*": "dense_layers.*.conv", "fuse": "conv1x1"}
RDN: Names = {"blocks.*": ("RDBs.*", RDB), "fuse": "conv1x1", "conv": "conv3x3"}
CELL: Names = {"align": ("cell.F_R", RDN), "hidden.1": ("cell.F_h.1", RDB), "hidden.*": "cell.F_h.*"}
MMP_NET: Names = {
    "stem": "conv9x9",
    "down.0": "inc.double_conv",
    "down.*": "down*.maxpool_conv.1.double_conv",
    **{f"up.{i}": f"up{i + 1}.conv.double_conv" for i in range(4)},
    "refine": ("refine", RDB),
    "head": "outc.conv",
}
MMP_RNN: Names = {
    "magnitude_net": ("cell.prior", MMP_NET),
    "extract.stem": "cell.F_B0",
    "extract.mmam.scale.*": "cell.MMAM1.MMAM_conv*",
    "extract.rdb1": ("cell.F_B1.rdb", RDB),
    "extract.down1": "cell.F_B1.down_sampling",
    "extract.rdb2": ("cell.F_B2.rdb", RDB),
    "extract.down2": "cell.F_B2.down_sampling",
    **CELL,
    "attention.1": "fusion.ca.conv_du.0",
    "attention.3": "fusion.ca.conv_du.2",
    "fuse": "fusion.fusion",
    "reconstruct.rdn": ("recons.D_Net", RDN),
    "reconstruct.up1": "recons.model.0",
    "reconstruct.up2": "recons.model.1",
    "reconstruct.head": "recons.model.2",
    "skip": "skip",
}
ESTRNN_NAMES: Names = {
    "extract.0": "cell.F_B0",
    "extract.1": ("cell.F_B1.rdb", RDB),
    "extract.2": "cell.F_B1.down_sampling",
    "extract.3": ("cell.F_B2.rdb", RDB),
    "extract.4": "cell.F_B2.down_sampling",
    **CELL,
    "attention.gate.0": "fusion.F_f.0",
    "attention.gate.1": "fusion.F_f.2",
    "attention.pointwise.*": "fusion.F_p.*",
    "attention.condense": "fusion.condense",
    "attention.fuse": "fusion.fusion",
    "reconstruct.*": "recons.model.*",
}


@dataclass(frozen=True)
class Layout:
    """How the authors lay out one kind of network.

    frames_in, images_out: our modules that read a frame's colours and those that write them.
    unused: what their names begin with where the published code holds weights that it may not call.
    """

    names: Names
    frames_in: tuple[str, ...]
    images_out: tuple[str, ...] = ()
    unused: str | None = None


LAYOUTS = {
    MMPRNN: Layout(
        MMP_RNN, ("extract.stem", "magnitude_net.stem", "skip"), ("reconstruct.head", "skip"), unused="fusion.ca."
    ),
    ESTRNN: Layout(ESTRNN_NAMES, ("extract.0",), ("reconstruct.2",)),
    MMPNet: Layout(MMP_NET, ("stem",)),
}


def layout_of(network: nn.Module) -> Layout | None:
    """How the authors lay out this kind of network; None where no published code is known."""
    return next((layout for kind, layout in LAYOUTS.items() if isinstance(network, kind)), None)


def published_name(ours: str, names: Names) -> str | None:
    """What the authors call a tensor of ours; None for one that their code does not have."""
    for pattern, theirs in names.items():
        found = re.match(re.escape(pattern).replace(r"\*", r"(\d+)") + r"\.", ours)
        if found is None:
            continue
        prefix, inside = (theirs, None) if isinstance(theirs, str) else theirs
        rest = ours[found.end() :]
        if inside is not None:
            rest = published_name(rest, inside)
        prefix = prefix.replace("*", found[1]) if "*" in prefix else prefix
        return None if rest is None else f"{prefix}.{rest}"
    return None


def size_of(tensors: dict[str, torch.Tensor]) -> str | None:
    """What the names of our networks call the size of a checkpoint in the authors' layout: "a9b10c18", "c80b15", "net".

    None where it has not even the first layer.
    """
    if "conv9x9.weight" in tensors:
        return "net"
    first = tensors.get("cell.F_B0.weight")
    if first is None or first.dim() != 4:
        return None
    features = first.shape[0]
    blocks, more = (
        sum(re.fullmatch(rf"{net}\.RDBs\.\d+\.conv1x1\.bias", name) is not None for name in tensors)
        for net in (r"cell\.F_R", r"recons\.D_Net")
    )
    return f"a{blocks}b{more}c{features}" if more else f"c{5 * features}b{blocks}"
