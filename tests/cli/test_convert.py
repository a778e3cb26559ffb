import pytest
import torch
from safetensors import safe_open

from tests.weights import published

from .conftest import frame_count


@pytest.fixture(scope="module")
def checkpoint(tmp_path_factory):
    """Of ESTRNN C70B7, as its authors save it."""
    torch.manual_seed(0)
    path = tmp_path_factory.mktemp("published") / "model_best.pth.tar"
    torch.save(published.trainer_checkpoint(published.estrnn_weights(14, 7)), path)
    return path


def test_a_converted_checkpoint_runs(vdeblur, checkpoint, clip, tmp_path):
    out = tmp_path / "w.safetensors"
    code, printed, error = vdeblur("convert", checkpoint, out, "--model", "estrnn-c70b7")
    assert (code, error) == (0, "")
    assert printed == f"1,170,907 numbers for estrnn-c70b7 -> {out}\n"
    with safe_open(out, framework="pt") as file:
        assert file.metadata() == {"network": "estrnn-c70b7", "converted_from": "model_best.pth.tar"}
    video = tmp_path / "out.mp4"
    code, _, _ = vdeblur("run", clip, video, "--model", "estrnn-c70b7", "--weights", out, "--end", "0.12")
    assert code == 0
    assert frame_count(video) == 3


def test_an_output_that_exists_is_kept(vdeblur, mistake, checkpoint, tmp_path):
    out = tmp_path / "w.safetensors"
    out.write_text("mine")
    assert "exists already; add --overwrite" in mistake("convert", checkpoint, out, "--model", "estrnn-c70b7")
    assert out.read_text() == "mine"
    code, printed, _ = vdeblur("convert", checkpoint, out, "--model", "estrnn-c70b7", "--overwrite", "--quiet", "--bgr")
    assert (code, printed) == (0, "")
    assert out.stat().st_size > 4_000_000


def test_mistakes_leave_nothing_behind(mistake, checkpoint, tmp_path):
    out = tmp_path / "w.safetensors"
    assert "does not fit mmp-net: " in mistake("convert", checkpoint, out, "--model", "mmp-net")
    assert "did you mean estrnn-c70b7" in mistake("convert", checkpoint, out, "--model", "estrnn-c70b8")
    assert "must end in .safetensors" in mistake("convert", checkpoint, tmp_path / "w.pth", "--model", "estrnn-c70b7")
    assert "does not exist" in mistake("convert", tmp_path / "none.pth", out, "--model", "estrnn-c70b7")
    missing = tmp_path / "none" / "w.safetensors"
    assert "the folder" in mistake("convert", checkpoint, missing, "--model", "estrnn-c70b7")
    assert list(tmp_path.iterdir()) == []


def test_the_whole_list_of_what_does_not_fit(vdeblur, checkpoint, tmp_path):
    out = tmp_path / "w.safetensors"
    code, printed, error = vdeblur("convert", checkpoint, out, "--model", "estrnn-c90b10", "--list")
    assert code == 2
    assert "; it fits estrnn-c70b7" in error
    assert "missing     cell.F_R.RDBs.9.conv1x1.bias\n" in printed
    assert "misshapen   cell.F_B0.weight: (14, 3, 5, 5) for (18, 3, 5, 5)\n" in printed
    assert len(printed.splitlines()) > 100
