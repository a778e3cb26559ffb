"""`python -m vdeblur_fast.training.distil TEACHER SAMPLES OUT`: prepared samples whose sharp frames are what a trained
network makes of the blurry ones, for another to learn from.

What a photograph hides from every network is noise to one that learns; what a teacher made of it is not (Hinton et al.,
"Distilling the knowledge in a neural network", 2015). A training still ends with the true frames: a teacher has
faults of its own.
"""

import argparse
import json
import sys
from pathlib import Path

import torch
from torch.utils.data import Dataset

from vdeblur_fast import weights
from vdeblur_fast.errors import UserError, told
from vdeblur_fast.reference.networks import VideoNetwork, build, networks

from .precision import choose_device, choose_precision
from .prepared import ABOUT, opened, prepare, sample_of


class Taught(Dataset):
    """The samples of a folder that `prepare` wrote, in their order, `teacher`'s images in place of the sharp frames.

    Raises UserError where the folder is not whole or its frames are of sides that the teacher does not take.
    """

    def __init__(self, folder: Path, teacher: VideoNetwork):
        self.files = opened(folder)
        height, width = self.files["blurry"].shape[2:4]
        if any(side % teacher.multiple or side < teacher.minimum for side in (height, width)):
            raise UserError(
                f"the samples of {folder} are {height}x{width} and the teacher takes multiples of {teacher.multiple} "
                f"from {teacher.minimum} on; make them with another --crop"
            )
        self.device = choose_device()
        self.dtype = choose_precision("auto", self.device, teacher.fine)
        self.teacher = teacher.to(self.device, memory_format=torch.channels_last).eval()

    def __len__(self) -> int:
        return len(self.files["blurry"])

    def __getitem__(self, number: int) -> dict[str, torch.Tensor]:
        sample = sample_of({name: file[number] for name, file in self.files.items()})
        with torch.inference_mode(), torch.autocast(self.device.type, self.dtype, self.dtype != torch.float32):
            images = self.teacher(sample["blurry"][None].to(self.device), ends="replicate")[0]
        return {**sample, "sharp": images.float().clamp(0, 1).cpu()}


@told("vdeblur")
def main(argv: list[str] | None = None) -> int | None:
    """Writes the samples; 0 when done, 2 for a mistake of the user's."""
    parser = argparse.ArgumentParser("python -m vdeblur_fast.training.distil", description=__doc__.split("\n\n")[0])
    add = parser.add_argument
    add("teacher", choices=networks(), metavar="TEACHER", help="the trained network, such as mmp-rnn-tiny")
    add("samples", type=Path, metavar="SAMPLES", help="what `python -m vdeblur_fast.training.prepare` wrote")
    add("out", type=Path, metavar="OUT", help="where the new samples go; those of SAMPLES stay as they are")
    add("--weights", type=Path, metavar="FILE", help="the teacher's weights (default: those that ship)")
    arguments = parser.parse_args(argv)
    teacher = build(arguments.teacher)
    if not isinstance(teacher, VideoNetwork):
        raise UserError(f"{arguments.teacher} makes no images, so it cannot teach; choose one that deblurs")
    weights.load(teacher, arguments.teacher, arguments.weights)
    clips = Taught(arguments.samples, teacher)
    about = json.loads((arguments.samples / ABOUT).read_text(encoding="utf-8"))
    prepare(clips, arguments.out, len(clips), about={**about, "teacher": arguments.teacher})


if __name__ == "__main__":
    sys.exit(main())
