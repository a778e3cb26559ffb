import os
import signal
import subprocess
import sys
import time

import pytest

from tests.cli.conftest import pictures, write_video
from vdeblur_fast.cli import models, run


@pytest.mark.parametrize(("number", "code"), [(signal.SIGINT, 130), (signal.SIGTERM, 143)], ids=["SIGINT", "SIGTERM"])
def test_an_interrupted_run_leaves_nothing_and_touches_nothing(tmp_path, weights, number, code):
    source = write_video(tmp_path / "long.mkv", pictures(10) * 400)
    folder = tmp_path / "out"
    folder.mkdir()
    out = folder / "out.mkv"
    out.write_bytes(b"precious")
    command = [sys.executable, "-m", "vdeblur_fast", "run", source, out, "--weights", weights, "--overwrite"]
    with subprocess.Popen(command, stderr=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as process:
        try:
            deadline = time.monotonic() + 60
            while not list(folder.glob(".out*")):
                assert process.poll() is None
                assert time.monotonic() < deadline
                time.sleep(0.05)
            time.sleep(0.5)
            process.send_signal(number)
            time.sleep(0.05)
            process.send_signal(number)  # an impatient second one must not stop the tidying up
            printed, error = process.communicate(timeout=60)
        finally:
            process.kill()
    assert (process.returncode, printed) == (code, "")
    *progress, last = error.splitlines()  # a machine that stands still for half a minute makes it tell of its progress
    assert all(" of 4000 frames" in line for line in progress)
    assert last == "vdeblur: interrupted; nothing was written"
    assert os.listdir(folder) == ["out.mkv"]
    assert out.read_bytes() == b"precious"


def test_interrupted_when_the_output_is_there(tmp_path, vdeblur, monkeypatch, weights, clip):
    """What has been written is not denied."""
    monkeypatch.setattr(run, "tell", lambda *_: signal.raise_signal(signal.SIGINT))
    code, _, error = vdeblur("run", clip, tmp_path / "out.mp4", "--weights", weights, "--quiet")
    assert (code, error) == (130, f"vdeblur: interrupted; {tmp_path / 'out.mp4'} is finished\n")
    assert (tmp_path / "out.mp4").exists()
    monkeypatch.setattr(models, "row", lambda name: signal.raise_signal(signal.SIGINT))
    assert vdeblur("models") == (130, "", "vdeblur: interrupted; nothing was written\n")


def test_signals_mean_afterwards_what_they_meant_before(vdeblur, monkeypatch):
    before = signal.getsignal(signal.SIGINT), signal.getsignal(signal.SIGTERM)
    monkeypatch.setattr(models, "row", lambda name: signal.raise_signal(signal.SIGTERM))
    assert vdeblur("models") == (143, "", "vdeblur: interrupted; nothing was written\n")
    assert (signal.getsignal(signal.SIGINT), signal.getsignal(signal.SIGTERM)) == before


def test_an_ignored_signal_stays_ignored(vdeblur, monkeypatch):
    before = signal.signal(signal.SIGHUP, signal.SIG_IGN)
    try:
        monkeypatch.setattr(models, "row", lambda name: signal.raise_signal(signal.SIGHUP))
        monkeypatch.setattr(models, "table", lambda rows: "done")
        assert vdeblur("models") == (0, "done\n", "")
    finally:
        signal.signal(signal.SIGHUP, before)
