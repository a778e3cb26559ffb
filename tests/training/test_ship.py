"""Weights that go into the package carry what was measured of them."""

import json

import torch

from vdeblur_fast import build, weights
from vdeblur_fast.training import ship
from vdeblur_fast.training.export import export

CLIP = {"psnr_gain": 1.25, "worse": False}
MEAN = {"frames": 24, "psnr_before": 28.0, "psnr_after": 29.0, "psnr_gain": 1.0, "ssim_before": 0.8, "ssim_after": 0.9}


def run(tmp_path, **changed):
    network = build("mmp-rnn-tiny")
    card = {"network": "mmp-rnn-tiny", "recipe": "mmp-rnn-tiny", "steps": 5, "commit": None, "settings": {}}
    export(network, tmp_path / "last.safetensors", card)
    clips = [CLIP, {"psnr_gain": -0.5, "worse": True}]
    evaluation = {"model": "mmp-rnn-tiny", "precision": "fp32", "mean": MEAN, "clips": clips} | changed
    (tmp_path / "evaluation.json").write_text(json.dumps(evaluation))
    (tmp_path / "out").mkdir()
    words = ["--data", "stills", "--validation", "two clips", "--out", str(tmp_path / "out")]
    return network, ship.main([str(tmp_path / "last.safetensors"), str(tmp_path / "evaluation.json"), *words])


def test_the_card_holds_what_was_measured(tmp_path, monkeypatch):
    network, code = run(tmp_path)
    assert code == 0
    monkeypatch.setattr(weights, "FOLDER", tmp_path / "out")
    weights.available.cache_clear()
    try:
        card = weights.card("mmp-rnn-tiny")
        found = card["validation"]
        assert (found["gain"], found["least_gain"], found["worse_clips"], found["clips"]) == (1.0, -0.5, 1, 2)
        assert card["data"] == "stills"
        other = build("mmp-rnn-tiny")
        weights.load(other, "mmp-rnn-tiny")
        assert torch.equal(other.fuse.weight, network.fuse.weight.half().float())
    finally:
        weights.available.cache_clear()


def test_an_evaluation_of_another_network_is_refused(tmp_path, capsys):
    _, code = run(tmp_path, model="estrnn-c70b7")
    assert code == 2
    assert "the evaluation is of estrnn-c70b7" in capsys.readouterr().err
    assert not list((tmp_path / "out").iterdir())


def test_a_file_that_its_card_does_not_describe_is_refused(tmp_path, capsys):
    run(tmp_path)
    path = tmp_path / "last.safetensors"
    path.write_bytes(path.read_bytes() + b"x")
    words = ["--data", "stills", "--validation", "two clips", "--out", str(tmp_path)]
    assert ship.main([str(path), str(tmp_path / "evaluation.json"), *words]) == 2
    assert "is not the file that its card describes" in capsys.readouterr().err
