"""The counts of the papers' tables, to the unit."""

import json

import pytest
import torch
from torch import nn

from bench import gmacs
from bench.counting import count
from vdeblur_fast import build
from vdeblur_fast.reference.networks import MMPRNN

# params, GMACs by the papers' rule, true GMACs where known; measured on the authors' code, or by closed forms
EXACT = {
    "mmp-net": (851_417, 38.814, 38.162),
    "mmp-rnn-a3b4c16": (1_974_016, 136.422, 128.32),
    "mmp-rnn-a7b8c16": (2_913_408, 190.531, 182.35),
    "mmp-rnn-a8b9c18": (3_757_280, 247.405, 237.26),
    "mmp-rnn-a9b10c18": (4_054_460, 264.523, 254.35),
    "mmp-rnn-a9b10c18-no-mmam": (3_202_647, 225.344, None),
    "mmp-rnn-a9b10c18-no-mmam-no-ndf": (3_235_083, 227.212, None),
    "mmp-rnn-a8b9c18-no-mmam": (2_905_467, 208.226, None),
    "mmp-rnn-a8b9c18-no-mmam-no-ndf": (2_937_903, 210.094, None),
    "estrnn-c70b7": (1_170_907, 115.191, 97.19),
    "estrnn-c90b10": (2_379_531, 215.263, 185.59),
}

# millions of parameters, true GMACs: the layer tables of the systems whose papers print none
TABLES = {
    "gsta-net3": (2.63, 375),
    "gsta-net": (2.63 + 0.19, 375),
    "gsta-net-small": (0.66 + 0.19, 95),
    "david-small": (15.2, 708),
    "david": (60.9, 2758),
    "david-single3": (4.91, 190),
    "david-small-single3": (1.23, 48.3),
    "strcnn-dtb": (0.916, 221.5),
    "strcnn-dtb-m2": (0.926, 230.4),
}


@pytest.mark.parametrize("name", TABLES)
def test_counts_are_those_of_the_layer_tables(name):
    millions, gmacs = TABLES[name]
    found = count(on_meta(name))
    assert found.params / 1e6 == pytest.approx(millions, rel=5e-3)
    assert found.true_gmacs == pytest.approx(gmacs, rel=8e-3)


def on_meta(name):
    with torch.device("meta"):
        return build(name)


@pytest.mark.parametrize("name", EXACT)
def test_counts_are_exact(name):
    params, paper, true = EXACT[name]
    found = count(on_meta(name))
    assert found.params == params
    assert found.paper_gmacs == pytest.approx(paper, rel=1e-5)
    if true is not None:
        assert found.true_gmacs == pytest.approx(true, rel=1e-4)


def test_the_released_variant_counts_as_the_released_code():
    found = count(MMPRNN(18, 9, 10, shift=False, channel_attention=True))
    assert found.params == 4_079_940
    assert found.paper_gmacs == pytest.approx(264.366, rel=1e-5)


@pytest.mark.parametrize("name", ["mmp-rnn-tiny", "estrnn-c70b7", "strcnn-dtb"])
def test_true_macs_are_those_of_the_layers(name):
    """Counted a second way: convolutions and linear layers by their shapes."""
    network = build(name).to("meta").eval()
    found = 0

    def add(module, inputs, output):
        nonlocal found
        positions = inputs[0] if isinstance(module, nn.ConvTranspose2d) else output
        found += positions.numel() * module.weight[0].numel()

    with torch.no_grad():
        work = network.steady_frame(torch.empty(1, 3, 360, 640, device="meta"))
        for module in network.modules():
            if isinstance(module, (nn.Conv2d, nn.ConvTranspose2d, nn.Linear)):
                module.register_forward_hook(add)
        work()
    assert count(on_meta(name), 640, 360).true_gmacs == pytest.approx(found / 1e9, rel=1e-6)


def test_the_tiny_network_is_tiny():
    assert count(on_meta("mmp-rnn-tiny")).true_gmacs <= 36


def test_the_table_and_the_json_say_the_same(capsys, monkeypatch):
    names = ["mmp-net", "mmp-rnn-a7b8c16", "mmp-rnn-a9b10c18", "david-single1"]
    monkeypatch.setattr(gmacs, "networks", lambda: names)
    monkeypatch.setattr(gmacs, "COMPARATORS", {})
    gmacs.main(["--json"])
    rows = {row["network"]: row for row in json.loads(capsys.readouterr().out)["networks"]}
    assert abs(rows["mmp-rnn-a9b10c18"]["deviation_percent"]) <= 0.05
    assert rows["mmp-rnn-a7b8c16"]["deviation_percent"] == pytest.approx(-6.69, abs=0.01)
    gmacs.main([])
    table = capsys.readouterr().out
    assert "264.523" in table
    assert f"{rows['mmp-net']['params']:,}" in table
