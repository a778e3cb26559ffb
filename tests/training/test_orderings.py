"""Which of the papers' orderings show."""

import csv

import pytest
import torch

from vdeblur_fast.errors import UserError
from vdeblur_fast.training import orderings
from vdeblur_fast.training.export import export
from vdeblur_fast.training.orderings import ORDERINGS, Ordering, main, measure, table, verdict
from vdeblur_fast.training.recipes import find


@pytest.mark.parametrize(
    ("better", "worse", "says"),
    [
        ([1.0, 1.2, 1.1], [0.5, 0.6, 0.7], "shows"),
        ([0.5, 0.6, 0.7], [1.0, 1.2, 1.1], "is the other way round"),
        ([1.0, 1.2, 0.6], [0.5, 0.6, 0.7], "does not show"),  # the seeds do not agree
        ([1.0, 0.51], [0.5, 0.5], "does not show"),  # they do, but differ more than they gain
    ],
)
def test_verdict(better, worse, says):
    difference, said = verdict(better, worse)
    assert said == says
    assert difference == pytest.approx(sum(better) / len(better) - sum(worse) / len(worse))


def test_all_networks_of_a_paper_are_trained_alike():
    for ordering in ORDERINGS.values():
        settings = [find(name).settings() for name in ordering.recipes]
        for own in settings:
            del own["name"], own["network"]
        assert all(own == settings[0] for own in settings)
        assert len({find(name).network for name in ordering.recipes}) == 3


def test_the_table_pairs_the_seeds():
    rows = [
        {"paper": "gsta", "network": name, "seed": seed, "steps": 9, "gain": gain + seed}
        for name, gain in (("gsta-net3-small", 0.5), ("gsta-net2-small", 0.25), ("gsta-net1-small", 0.3))
        for seed in (0, 1)
    ]
    lines = table(rows).splitlines()[2:]
    assert lines[0] == "| GSTA, Table 3 | `gsta-net3-small` | 2 | 9 | +1.000 | 0.707 | +0.250: shows |"
    assert lines[1].endswith("| -0.050: is the other way round |")
    assert lines[2].endswith("| 0.707 |  |")
    assert len(lines) == 3
    assert "+0.500 |  |  |" in table(rows[:1])  # a single seed says nothing


def test_only_clips_that_are_blurry_count(tmp_path):
    export(find("cnn-short").build_network(), path := tmp_path / "identity.safetensors", {"network": "cnn"})
    sharp = torch.rand(1, 3, 3, 32, 32)
    blurry, nearly = ({"sharp": sharp, "blurry": (sharp + error).clamp(0, 1)} for error in (0.1, 0.004))
    found = measure("cnn-short", path, [nearly, blurry])
    assert found["clips"] == 1
    assert found["psnr_blurry"] == pytest.approx(20.5, abs=1)
    assert found["gain"] == found["worst"] == pytest.approx(0, abs=0.05)  # float16 is as near as weights are kept
    with pytest.raises(UserError, match="none of 1 clips is blurry"):
        measure("cnn-short", path, [nearly])


def test_the_command_trains_and_goes_on_where_it_stopped(pictures, tmp_path, monkeypatch, capsys):
    chosen = Ordering("MMP-RNN, Table 4", ("mmp-rnn-tiny", "mmp-rnn-tiny-no-mmam"))
    monkeypatch.setattr(orderings, "ORDERINGS", {"mmp-rnn": chosen})
    trained = []
    monkeypatch.setattr(orderings, "train", lambda typed, real=orderings.train: trained.append(typed) or real(typed))
    arguments = ["mmp-rnn", "--data", str(pictures), "--out", str(tmp_path / "out"), "--seeds", "2", "--steps", "1"]
    arguments += ["--batch", "2", "--crop", "32", "--clips", "1", "--workers", "0", "--quiet"]
    assert main(arguments) == 0
    printed = capsys.readouterr().out
    with (tmp_path / "out" / "mmp-rnn.csv").open() as file:
        rows = list(csv.DictReader(file))
    assert [(row["network"], row["seed"]) for row in rows] == [
        (network, seed) for seed in "01" for network in chosen.recipes
    ]
    assert len(trained) == 4
    assert "| `mmp-rnn-tiny` | 2 | 1 |" in printed
    assert main(arguments) == 0
    assert len(trained) == 4  # nothing was done again
    assert capsys.readouterr().out == printed
    assert main([*arguments, "--crop", "30"]) == 2
    assert "--crop 30 must be a multiple of 4" in capsys.readouterr().err
