"""Networks in other engines: the step that is exported is the network's, and what is wrong is not measured."""

import pytest
import torch

from bench import contenders, rival_profiles, rivals
from bench.contenders import Job, tensors
from bench.filled import filled
from bench.provenance import read_csv
from bench.step import Step, steady, without_choice
from bench.timing import Spread

SIZE = 64, 48


@pytest.fixture(scope="module")
def job() -> Job:
    with torch.no_grad():
        return rivals.make_job("mmp-rnn-tiny", SIZE, 1)


@pytest.mark.parametrize("name", ["mmp-rnn-tiny", "estrnn-c70b7", "strcnn-dtb", "gsta-net-small", "david-small"])
@torch.no_grad()
def test_the_step_is_a_frame_of_the_stream(name):
    network = filled(name)
    frames = torch.rand(network.past + network.future + 2, 3, 48, 64)
    (plain,), moment = without_choice(network, [], steady(network, frames))
    step = Step(plain, moment)
    image = step(*step.inputs)[0]
    wanted = network(frames[None], ends="valid")[:, 1]
    if name == "gsta-net-small":  # whose neighbours the step takes from the frame before
        entries = network.encode_clip(frames[None])[1:]
        wanted = network.restore(entries[network.past], [entries[i] for i in plain.neighbours])
    torch.testing.assert_close(image, wanted, rtol=1e-4, atol=1e-5)


@pytest.mark.parametrize("engine", ["onnxruntime", "openvino"])
@torch.no_grad()
def test_an_exported_recurrent_step_gives_what_the_reference_gives(job, engine):
    pytest.importorskip("onnxscript")
    pytest.importorskip("onnx")
    pytest.importorskip(engine)
    call = {"onnxruntime": contenders.onnx_runtime, "openvino": contenders.openvino}[engine](job)
    found = tensors(call())
    assert len(found) == 5  # the image, both parts of its entry, both of the state
    for got, want in zip(found, job.outputs, strict=True):
        torch.testing.assert_close(got, want, rtol=1e-4, atol=1e-5)
    assert rivals.check(engine, call, job) < 1e-4


@pytest.fixture
def rows(tmp_path, monkeypatch, capsys):
    def missing(job):
        raise ModuleNotFoundError("No module named 'engine'", name="engine")

    def wrong(job):
        call = contenders.ours(job)
        return lambda: [output * 1.01 for output in call()]

    def broken(job):
        raise RuntimeError("no such\nlayer")

    slow = rivals.QUICK_WITHOUT[0]
    chosen = {
        slow: broken,
        "right": contenders.ours,
        "missing": missing,
        "wrong": wrong,
        "broken": broken,
        "ours": contenders.ours,
    }
    monkeypatch.setattr(rivals, "CONTENDERS", chosen)
    monkeypatch.setattr(rivals, "copy_bandwidth", lambda: 1e10)
    monkeypatch.setattr(rivals, "matmul_peak", lambda dtype: 1e11)
    monkeypatch.setattr(rivals, "QUICK_SECONDS", 0.01)
    for _ in range(2):
        arguments = ["strcnn-dtb", "--size", "33x32", "--threads", "1", "--quick", "--out", str(tmp_path)]
        assert rivals.main(arguments) == 0
    assert "strcnn-dtb 34x32, 1 threads" in capsys.readouterr().out
    return {row["contender"]: row for row in read_csv(tmp_path / rivals.FILE)}


def test_what_is_wrong_or_missing_is_a_row_with_the_reason(rows):
    left_out = rows.pop(rivals.QUICK_WITHOUT[0])
    assert (left_out["median_ms"], left_out["note"]) == ("", "left out of a quick run")
    assert list(rows) == ["right", "missing", "wrong", "broken", "ours"]
    assert float(rows["right"]["median_ms"]) > 0
    assert float(rows["ours"]["times_ours"]) == 1
    assert {rows[name]["median_ms"] for name in ("missing", "wrong", "broken")} == {""}
    assert rows["missing"]["note"].startswith("engine is not installed")
    assert "off by" in rows["wrong"]["note"]
    assert rows["broken"]["note"] == "RuntimeError: no such layer"


def test_every_row_says_where_it_is_from(rows):
    for row in rows.values():
        assert row["commit"]
        assert row["device"]
        assert row["torch"] == torch.__version__
        assert "onnxruntime" in row
        assert (row["width"], row["height"]) == ("34", "32")


def test_only_a_quick_run_leaves_anything_out(job, monkeypatch):
    monkeypatch.setattr(rivals, "CONTENDERS", dict.fromkeys([*rivals.QUICK_WITHOUT, "ours"], contenders.ours))
    monkeypatch.setattr(rivals, "make_job", lambda *_: job)
    monkeypatch.setattr(rivals, "SECONDS", 0.01)
    monkeypatch.setattr(rivals, "QUICK_SECONDS", 0.01)
    monkeypatch.setattr(rivals, "copy_bandwidth", lambda: 1e10)
    monkeypatch.setattr(rivals, "matmul_peak", lambda dtype: 1e11)
    found = {quick: rivals.measure("mmp-rnn-tiny", SIZE, 1, quick) for quick in (False, True)}
    assert all(row["median_ms"] for row in found[False])
    assert [bool(row["median_ms"]) for row in found[True]] == [False, True]


def test_a_lost_race_is_explained_by_where_the_time_goes():
    theirs = {"Conv": 40.0, "Concat": 10.0}
    own = {"aten::mkldnn_convolution": 30.0, "vdeblur::residual_dense_block": 15.0, "aten::cat": 35.0}
    assert rival_profiles.by_kind(own) == {"convolutions": 45.0, "all else": 35.0}
    says = rival_profiles.sentence(theirs, own, 50 / 80)
    assert says.startswith("60% faster than ours")
    assert "all else decide, most of ours in aten::cat (35 ms)" in says


def test_a_profile_that_does_not_show_why_says_so():
    theirs, own = {"Conv": 40.0, "Concat": 10.0}, {"aten::mkldnn_convolution": 35.0, "aten::cat": 10.0}
    says = rival_profiles.sentence(theirs, own, 0.8)
    assert says.endswith("all else take it 10 ms and us 10, and the profile does not show why")
    assert "decide" not in says


@torch.no_grad()
def test_only_who_is_faster_is_explained(job):
    calls = {"eager": contenders.eager(job, torch.channels_last), "ours": contenders.ours(job)}
    times = {name: Spread(1, 1, 1, 3) for name in ("slow", "eager", "ours")}
    assert rival_profiles.why_ours_loses(job, calls, times) == {}
    times["eager"] = Spread(0.5, 0.5, 0.5, 3)
    why = rival_profiles.why_ours_loses(job, calls, times)
    assert why["eager"].startswith("100% faster than ours: convolutions take it ")
    assert why == {"eager": why["eager"], "ours": f"eager is {why['eager']}"}


@pytest.mark.parametrize(
    ("arguments", "says"),
    [
        (["mmp-rnn-tinny"], "unknown model 'mmp-rnn-tinny'; did you mean mmp-rnn-tiny"),
        (["mmp-net"], "mmp-net does not turn frames into frames"),
        (["--size", "640"], "--size must be WIDTHxHEIGHT in pixels"),
        (["--size", "0x360"], "got 0x360"),
        (["--threads", "0"], "--threads must be a whole number from 1"),
    ],
)
def test_mistakes_get_one_sentence(arguments, says, capsys):
    assert rivals.main(arguments) == 2
    said = capsys.readouterr().err
    assert said.startswith("bench.rivals: ")
    assert says in said
    assert said.count("\n") == 1
