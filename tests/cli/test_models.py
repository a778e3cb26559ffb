import json

import pytest
import torch

from bench import counting, gmacs
from vdeblur_fast import build, networks, weights
from vdeblur_fast.cli import models
from vdeblur_fast.cli.models import count, counts, row

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
    counted = counting.count(build(name))
    found = row(name)
    assert found["params"] == counted.params
    assert found["gmacs_720p"] == pytest.approx(counted.true_gmacs, abs=5e-4)


def test_the_counts_that_ship_are_of_the_networks_there_are():
    assert list(counts()) == networks()
    with torch.device("meta"):
        params = {name: sum(p.numel() for p in build(name).parameters()) for name in networks()}
    assert {name: count["params"] for name, count in counts().items()} == params


# each class, with and without the parts that its configurations turn on and off
COUNTED = (
    "mmp-rnn-tiny", "mmp-rnn-a3b4c16", "mmp-rnn-a3b4c16-no-mmam-no-ndf", "mmp-rnn-a3b4c16-released", "estrnn-c70b7",
    "gsta-net-small", "gsta-net1", "gsta-net2", "gsta-net3", "gsta-net5", "david-small-single3",
    "david-small-internal", "david-small-external", "cnn", "strcnn-dtb", "strcnn-dtb-m2", "mmp-net",
)  # fmt: skip


@pytest.mark.parametrize("name", COUNTED)
def test_the_counts_that_ship_are_counted_again(name):
    assert counts()[name] == count(name), "write them anew: python -m bench.gmacs --ship"


def test_listing_counts_nothing(vdeblur, shipped, monkeypatch):
    monkeypatch.setattr(models, "count", lambda name: pytest.fail(f"{name} is counted"))
    assert vdeblur("models")[0] == 0


def test_a_network_that_is_not_written_down_is_counted(monkeypatch):
    right = row("mmp-net-tiny")
    monkeypatch.setattr(models, "counts", dict)
    assert row("mmp-net-tiny") == right


def test_the_counts_are_written_as_they_are_counted(tmp_path, monkeypatch):
    monkeypatch.setattr(models, "COUNTS", tmp_path / "counts.json")
    monkeypatch.setattr(gmacs, "networks", lambda: ["mmp-net-tiny", "mmp-net"])
    gmacs.main(["--ship"])
    assert json.loads(models.COUNTS.read_text()) == {name: counts()[name] for name in ("mmp-net-tiny", "mmp-net")}


def test_counting_leaves_the_default_device_alone():
    count("mmp-net-tiny")
    assert torch.empty(1).device.type == "cpu"


def test_a_card_is_printed_whole(vdeblur, shipped):
    code, out, _ = vdeblur("models", "--card", "mmp-rnn-tiny")
    assert code == 0
    assert json.loads(out) == CARD


def test_a_card_that_there_is_not(mistake):
    assert "'mmp-rnn-tinny'; did you mean mmp-rnn-tiny" in mistake("models", "--card", "mmp-rnn-tinny")
    assert "no weights ship for estrnn-c80b15" in mistake("models", "--card", "estrnn-c80b15")
