"""What the tests of the trainer share: a tiny network, tiny clips, and a training of both."""

import numpy as np
import pytest
import torch

from tests.training.toys import toy_clips, toy_recipe
from vdeblur_fast.training.run import Run
from vdeblur_fast.training.trainer import Trainer
from vdeblur_fast.training.validation import Validation


@pytest.fixture(autouse=True)
def two_threads():
    """The same number of threads everywhere: sums are then added in the same order."""
    before = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(before)


@pytest.fixture
def make_trainer(tmp_path):
    """make_trainer(kind, validate, settings of the run, seed of the weights, **settings of the recipe)."""

    def make(kind="deblur", validate=True, run=None, random=3, **settings):
        recipe = toy_recipe(kind, **settings)
        torch.manual_seed(random)
        where = Run(**{"out": tmp_path / "out", "quiet": True, "log_every": 1, "validate_every": 2, **(run or {})})
        validation = Validation(toy_clips(kind, 99), 3) if validate else None
        return Trainer(recipe, recipe.make_task(), toy_clips(kind), where, validation)

    return make


@pytest.fixture
def pictures(tmp_path):
    """A folder with a train and a val part of small photographs."""
    import cv2
    from skimage.data import astronaut

    photograph = astronaut()[..., ::-1]
    for split, corners in {"train": [0, 128], "val": [256]}.items():
        folder = tmp_path / "data" / split
        folder.mkdir(parents=True)
        for corner in corners:
            part = np.ascontiguousarray(photograph[corner : corner + 256, 64:448])
            cv2.imwrite(str(folder / f"{corner}.png"), part)
    return tmp_path / "data"
