"""`python -m vdeblur_fast.training.distil TEACHER SAMPLES OUT`: prepared samples whose sharp frames are what a trained
network makes of the blurry ones, for another to learn from.

What a photograph hides from every network is noise to one that learns; what a teacher made of it is not (Hinton et al.,
"Distilling the knowledge in a neural network", 2015). A training still ends with the true frames: a teacher has
faults of its own.
"""

import argparse
import json
import shutil
import sys
from pathlib import Path

import numpy as np
import torch
from tqdm import tqdm

from vdeblur_fast import weights
from vdeblur_fast.errors import UserError, told
from vdeblur_fast.reference.networks import VideoNetwork, build, networks

from .arguments import positive
from .precision import choose_device, choose_precision
from .prepared import ABOUT, DTYPES


def distil(teacher: VideoNetwork, samples: Path, out: Path, about: dict, batch: int = 8) -> None:
    """Writes to `out` the samples of a folder that `prepare` wrote, `teacher`'s images in place of the sharp frames.

    Raises UserError where `samples` is not whole or of sides that `teacher` does not take, `out` holds samples already,
    or the disk has no room for them.
    """
    if not (samples / ABOUT).exists():
        raise UserError(f"{samples} holds no prepared samples; make them with python -m vdeblur_fast.training.prepare")
    if (out / ABOUT).exists():
        raise UserError(f"{out} holds prepared samples already; remove it or name another folder")
    sides = np.load(samples / "blurry.npy", mmap_mode="r").shape[2:4]
    if any(side % teacher.multiple or side < teacher.minimum for side in sides):
        raise UserError(
            f"the samples of {samples} are {sides[0]}x{sides[1]} and the teacher takes multiples of "
            f"{teacher.multiple} from {teacher.minimum} on; make them with another --crop"
        )
    out.mkdir(parents=True, exist_ok=True)
    files = [samples / f"{name}.npy" for name in DTYPES if (samples / f"{name}.npy").exists()]
    needed = sum(file.stat().st_size for file in files)
    if (free := shutil.disk_usage(out).free) < needed:
        raise UserError(f"{samples} takes {needed / 1e9:.1f} GB and {out} has room for {free / 1e9:.1f} GB; free some")
    for file in files:
        shutil.copyfile(file, out / file.name)
    blurry = np.load(out / "blurry.npy", mmap_mode="r")
    images = np.lib.format.open_memmap(out / "sharp.npy", "r+")
    device = choose_device()
    dtype = choose_precision("auto", device)
    teacher = teacher.to(device, memory_format=torch.channels_last).eval()
    for start in tqdm(range(0, len(blurry), batch), unit="batch"):
        clips = torch.from_numpy(blurry[start : start + batch].copy()).permute(0, 1, 4, 2, 3).to(device) / 255
        with torch.inference_mode(), torch.autocast(device.type, dtype, enabled=dtype != torch.float32):
            sharp = teacher(clips, ends="replicate").float().clamp(0, 1).cpu()
        images[start : start + batch] = (sharp.permute(0, 1, 3, 4, 2).numpy() * 255 + 0.5).astype(np.uint8)
    images.flush()
    (out / ABOUT).write_text(json.dumps({**json.loads((samples / ABOUT).read_text()), **about}, indent=2) + "\n")


@told("vdeblur")
def main(argv: list[str] | None = None) -> int | None:
    """Writes the samples; 0 when done, 2 for a mistake of the user's."""
    parser = argparse.ArgumentParser(
        prog="python -m vdeblur_fast.training.distil", description=__doc__.split("\n\n")[0]
    )
    add = parser.add_argument
    add("teacher", choices=networks(), metavar="TEACHER", help="the trained network, such as mmp-rnn-tiny")
    add("samples", type=Path, metavar="SAMPLES", help="what `python -m vdeblur_fast.training.prepare` wrote")
    add("out", type=Path, metavar="OUT", help="where the new samples go; those of SAMPLES stay as they are")
    add("--weights", type=Path, metavar="FILE", help="the teacher's weights (default: those that ship)")
    add("--batch", type=positive, default=8, metavar="N", help="clips at a time (default 8)")
    arguments = parser.parse_args(argv)
    teacher = build(arguments.teacher)
    if not isinstance(teacher, VideoNetwork):
        raise UserError(f"{arguments.teacher} makes no images, so it cannot teach; choose one that deblurs")
    weights.load(teacher, arguments.teacher, arguments.weights)
    distil(teacher, arguments.samples, arguments.out, {"teacher": arguments.teacher}, arguments.batch)


if __name__ == "__main__":
    sys.exit(main())
