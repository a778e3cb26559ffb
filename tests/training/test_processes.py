"""Several processes and real kills: what only shows from outside."""

import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest
import torch

from tests.training.toy_training import train
from vdeblur_fast.training.log import read

ROOT = Path(__file__).parents[2]
STEPS = 12


def start(out: Path, kinds: str, *numbers: int, processes: int = 1) -> subprocess.Popen:
    launcher = ["-m", "torch.distributed.run", "--standalone", f"--nproc-per-node={processes}"]
    command = [sys.executable, *(launcher if processes > 1 else []), "-m", "tests.training.toy_training"]
    environment = {**os.environ, "OMP_NUM_THREADS": "1", "PYTHONPATH": str(ROOT)}
    return subprocess.Popen([*command, str(out), kinds, *map(str, numbers)], env=environment, cwd=ROOT)


def test_two_processes_train_as_one(tmp_path):
    """The same total batch, shared; batch norm, which the magnitude net has, sees all of it."""
    kinds = ("deblur", "magnitude", "guided", "recurrent", "branches", "restoration", "selection")
    two_processes = start(tmp_path / "two", ",".join(kinds), 4, processes=2)
    for kind in kinds:
        assert train(tmp_path / "one" / kind, kind, 4)
    assert two_processes.wait(120) == 0
    for kind in kinds:
        one, two = (read(tmp_path / number / kind / "log.csv") for number in ("one", "two"))
        assert len(one) == len(two) == 4
        for first, second in zip(one, two, strict=True):
            assert first.keys() == second.keys()
            # Adam makes whole steps of the rounding errors in gradients that are zero (a bias before a batch
            # norm), so only the first gradient is the same to many digits; the losses are.
            # Batch norms over few pixels make the recurrent one ill-conditioned: alone it is 1.4e-3 off float64, and
            # three steps later 6 % apart on AVX-512.
            exact, later = (5e-3, 0.2) if kind == "recurrent" else (1e-4, 0.05)
            rough = {"gradient_norm": exact if first["step"] == 1 else later}
            for name in first.keys() - {"seconds"}:
                decibels = 1e-3 if name.startswith("val_") else 1e-12  # a gain is a small difference
                close = pytest.approx(second[name], rel=rough.get(name, 1e-3), abs=decibels)
                assert first[name] == close, (kind, first["step"], name)


@pytest.fixture(scope="module")
def whole(tmp_path_factory):
    """The checkpoint of a training that nobody disturbed."""
    out = tmp_path_factory.mktemp("whole")
    threads = torch.get_num_threads()
    train(out, "deblur", STEPS)
    torch.set_num_threads(threads)
    return torch.load(out / "checkpoint.pt", weights_only=True)


@pytest.mark.parametrize(("how", "code"), [(signal.SIGTERM, 75), (signal.SIGKILL, -signal.SIGKILL)])
def test_killed_and_continued(whole, tmp_path, how, code):
    """Sample workers run, as they do for users, and must neither die before the training nor outlive it."""
    process = start(tmp_path, "deblur", STEPS, 1, 50)
    log = tmp_path / "deblur" / "log.csv"
    deadline = time.monotonic() + 60
    while not (log.exists() and len(read(log)) >= 3) and time.monotonic() < deadline:
        time.sleep(0.02)
    process.send_signal(how)
    assert process.wait(60) == code
    assert 3 <= len(read(log)) < STEPS
    assert train(tmp_path / "deblur", "deblur", STEPS)
    parts = torch.load(tmp_path / "deblur" / "checkpoint.pt", weights_only=True)
    assert whole["step"] == parts["step"] == STEPS
    for kind in ("network", "ema"):
        for name, value in whole[kind].items():
            assert torch.equal(value, parts[kind][name]), name
    for name in ("exp_avg", "exp_avg_sq"):
        assert torch.equal(whole["optimizer"]["state"][0][name], parts["optimizer"]["state"][0][name])
