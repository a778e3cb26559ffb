"""`python -m vdeblur_fast.training`, called as a user does."""

import json

import pytest

from vdeblur_fast.training.__main__ import main
from vdeblur_fast.training.log import read
from vdeblur_fast.training.recipes import RECIPES

COMMON = ["--workers", "0", "--quiet", "--device", "cpu"]


@pytest.fixture(autouse=True)
def own_cache(tmp_path, monkeypatch):
    monkeypatch.setenv("VDEBLUR_CACHE", str(tmp_path / "cache"))


@pytest.mark.parametrize("name", [name for name in RECIPES if name.startswith(("mmp-", "estrnn-", "cnn", "strcnn"))])
def test_smoke(name, pictures, tmp_path):
    out = tmp_path / "out"
    arguments = [name, "--data", str(pictures), "--out", str(out), "--smoke", *COMMON]
    assert main([*arguments, "--steps", "1", "--val-clips", "1"]) == 0
    assert [row["step"] for row in read(out / "log.csv")] == [1]
    card = json.loads((out / "best.json").read_text())
    assert card["recipe"] == name
    assert card["data"] == "data"


def test_first_the_magnitude_net_then_the_network(pictures, tmp_path):
    smoke = ["--data", str(pictures), "--smoke", "--steps", "1", *COMMON]
    assert main(["mmp-net-tiny", "--out", str(tmp_path / "net"), *smoke]) == 0
    weights = str(tmp_path / "net" / "last.safetensors")
    arguments = ["mmp-rnn-tiny", "--out", str(tmp_path / "rnn"), "--magnitude", weights, *smoke]
    assert main(arguments) == 0
    assert main([*arguments, "--steps", "2"]) == 0
    assert [row["step"] for row in read(tmp_path / "rnn" / "log.csv")] == [1, 2]


def test_stopped_by_time_and_continued(pictures, tmp_path, capsys):
    arguments = [
        "mmp-net-tiny",
        "--data",
        str(pictures),
        "--out",
        str(tmp_path / "out"),
        "--smoke",
        *COMMON[:2],
    ]
    assert main([*arguments, "--minutes", "0"]) == 75
    assert "stopped at step 1; give the same command to continue" in capsys.readouterr().err
    assert main(arguments) == 0
    assert [row["step"] for row in read(tmp_path / "out" / "log.csv")] == [1, 2, 3, 4]


def test_settings_from_the_command_line(pictures, tmp_path):
    out = tmp_path / "out"
    arguments = [
        "mmp-net-tiny",
        "--data",
        str(pictures),
        "--out",
        str(out),
        "--smoke",
        *COMMON,
        "--steps",
        "1",
    ]
    changes = [
        "--crop",
        "48",
        "--set",
        "learning_rate=0.002",
        "--set",
        "schedule=constant",
        "--set",
        "betas=[0.8, 0.9]",
    ]
    assert main([*arguments, *changes]) == 0
    settings = json.loads((out / "last.json").read_text())["settings"]
    assert (settings["crop"], settings["learning_rate"], settings["schedule"]) == (48, 0.002, "constant")
    assert settings["betas"] == [0.8, 0.9]


@pytest.mark.parametrize(
    ("arguments", "sentence"),
    [
        (["mmp-rnn-huge"], "unknown recipe 'mmp-rnn-huge'; choose one of"),
        (["mmp-rnn-tiny"], "stands on a trained mmp-net-tiny: train that first"),
        (["mmp-net-tiny", "--set", "speed=3"], "--set speed=3 is not a setting; give KEY=VALUE"),
        (["mmp-net-tiny", "--set", "clip_norm=much"], "--set clip_norm=much does not fit"),
        (["mmp-net-tiny", "--set", "steps=3.5"], "--set steps=3.5 does not fit; the recipe has"),
        (["mmp-net-tiny", "--set", "learning_rate=NaN"], "--set learning_rate=NaN does not fit"),
        (["mmp-net-tiny", "--set", "betas=[0.9]"], "--set betas=[0.9] does not fit"),
        (["mmp-net-tiny", "--set", "gradient_weight=1e400"], "gradient_weight must be at least 0, got inf"),
        (["mmp-net-tiny", "--set", "steps=-1"], "steps must be at least 1, got -1"),
        (["mmp-net-tiny", "--set", "batch=0"], "batch must be at least 1, got 0"),
        (["mmp-net-tiny", "--set", "clip_norm=0"], "clip_norm must be above 0, got 0.0"),
        (["mmp-net-tiny", "--set", "ema=2"], "ema must be below 1, got 2.0"),
        (["mmp-net-tiny", "--val-crop", "18"], "--val-crop 18 must be a multiple of 1 and at least 32"),
        (
            ["mmp-net-tiny", "--set", "schedule=linear"],
            "schedule must be one of cosine, halve, staircase, constant",
        ),
        (["mmp-rnn-tiny", "--smoke", "--crop", "34"], "--crop 34 must be a multiple of 4 and at least 32"),
        (["mmp-net-tiny", "--crop", "20"], "--crop 20 must be a multiple of 1 and at least 32"),
        (["estrnn-c70b7", "--frames", "4"], "--frames 4 is too short for estrnn-c70b7; give at least 5"),
        (["mmp-net-tiny", "--precision", "fp8"], "--precision fp8 is not for training"),
        (["mmp-net-tiny", "--device", "cuda:99"], "'cuda:99' was asked for but torch finds"),
        (["mmp-net-tiny", "--init", "none.safetensors"], "none.safetensors does not exist"),
        (["mmp-net-tiny", "--resume", "none.pt"], "none.pt does not exist"),
        (["mmp-net-tiny", "--batch", "3", "--parts", "2"], "--batch 3 cannot be shared"),
    ],
    ids=lambda value: "-".join(value[1:] or value) if isinstance(value, list) else "",
)
def test_mistakes_get_one_sentence(arguments, sentence, pictures, tmp_path, capsys):
    common = ["--data", str(pictures), "--out", str(tmp_path / "out"), "--workers", "0", "--quiet"]
    for option, value in (("--device", "cpu"), ("--crop", "32")):
        common += [] if option in arguments else [option, value]
    assert main([*arguments, *common]) == 2
    error = capsys.readouterr().err
    assert sentence in error
    assert error.startswith("vdeblur: ")
    assert error.count("\n") == 1


def test_empty_data(tmp_path, capsys):
    (tmp_path / "empty").mkdir()
    for folder in ("empty", "missing"):
        assert main(["mmp-net-tiny", "--data", str(tmp_path / folder), "--out", str(tmp_path / "o"), *COMMON]) == 2
        error = capsys.readouterr().err
        assert str(tmp_path / folder) in error
        assert error.count("\n") == 1


def test_damaged_checkpoint(pictures, tmp_path, capsys):
    out = tmp_path / "out"
    out.mkdir()
    (out / "checkpoint.pt").write_bytes(b"PK\x03\x04 not quite")
    arguments = ["mmp-net-tiny", "--data", str(pictures), "--out", str(out), "--smoke", *COMMON]
    assert main(arguments) == 2
    error = capsys.readouterr().err
    assert "checkpoint.pt is damaged or not a checkpoint; remove it" in error
    assert error.count("\n") == 1
    assert main([*arguments, "--resume", "no", "--steps", "1"]) == 0
