import json

import pytest
import torch

from bench.counting import count
from vdeblur_fast import build, networks, weights
from vdeblur_fast.cli.models import row

CARD = {
    "network": "mmp-rnn-tiny",
    "data": "a folder of clips",
    "validation": {"psnr_blurry": 27.0, "psnr_output": 29.5, "gain": 2.5},
}


@pytest.fixture
def shipped(monkeypatch):
    """As if only weights of mmp-rnn-tiny shipped, with this card."""
    monkeypatch.setattr(weights, "available", lambda: ("mmp-rnn-tiny",))
    monkeypatch.setattr(weights, "card", lambda name: CARD)


def test_models_lists_every_network(vdeblur, shipped):
    code, out, error = vdeblur("models", "--json")
    assert (code, error) == (0, "")
    rows = json.loads(out)
    assert [r["name"] for r in rows] == networks()
    assert rows[0]["psnr_gain"] == 2.5
    assert rows[0]["trained_on"] == "a folder of clips"


def test_the_table(vdeblur, shipped, monkeypatch):
    monkeypatch.setattr("vdeblur_fast.reference.networks.networks", lambda: ["mmp-rnn-tiny", "mmp-net-tiny"])
    code, out, error = vdeblur("models")
    assert (code, error) == (0, "")
    printed = out.splitlines()
    assert [line.split()[0] for line in printed] == ["name", "mmp-rnn-tiny", "mmp-net-tiny"]
    assert "+2.50 dB" in printed[1]
    assert "a folder of clips" in printed[1]
    assert "no weights ship" in printed[2]


@pytest.mark.parametrize("name", ["mmp-rnn-tiny", "estrnn-c70b7", "mmp-net"])
def test_params_and_gmacs_are_those_that_the_bench_counts(name):
    counted = count(build(name))
    found = row(name)
    assert found["params"] == counted.params
    assert found["gmacs_720p"] == pytest.approx(counted.true_gmacs, abs=5e-4)


def test_counting_leaves_the_default_device_alone():
    row("mmp-net-tiny")
    assert torch.empty(1).device.type == "cpu"


def test_a_card_is_printed_whole(vdeblur, shipped):
    code, out, _ = vdeblur("models", "--card", "mmp-rnn-tiny")
    assert code == 0
    assert json.loads(out) == CARD


def test_a_card_that_there_is_not(mistake):
    assert "'mmp-rnn-tinny'; did you mean mmp-rnn-tiny" in mistake("models", "--card", "mmp-rnn-tinny")
    assert "no weights ship for estrnn-c70b7" in mistake("models", "--card", "estrnn-c70b7")
