"""The small parts of the trainer: schedule, sampling, average, log, curves, precision, checkpoints."""

import builtins
import math

import pytest
import torch

from tests.training.toys import Filter
from vdeblur_fast.errors import UserError
from vdeblur_fast.training import plot
from vdeblur_fast.training.checkpoint import written_whole
from vdeblur_fast.training.ema import EMA
from vdeblur_fast.training.log import Log, read
from vdeblur_fast.training.precision import choose_device, choose_precision
from vdeblur_fast.training.sampling import StepSampler
from vdeblur_fast.training.schedule import learning_rate
from vdeblur_fast.training.tasks import psnr

CPU = torch.device("cpu")


def test_cosine_by_hand():
    rates = [learning_rate(step, 101, 5e-4, 1e-8) for step in range(101)]
    assert rates[0] == 5e-4
    assert rates[50] == pytest.approx((5e-4 + 1e-8) / 2)
    assert rates[25] == pytest.approx(1e-8 + (5e-4 - 1e-8) * (1 + math.sqrt(0.5)) / 2)
    assert rates[100] == pytest.approx(1e-8)
    assert rates == sorted(rates, reverse=True)


def test_warmup_rises_to_the_peak():
    rates = [learning_rate(step, 100, 1.0, 0.0, warmup=10) for step in range(100)]
    assert rates[:10] == pytest.approx([0.1 * (n + 1) for n in range(10)])
    assert rates[10] == 1.0
    assert rates[99] == pytest.approx(0.0)


def test_halving_and_constant():
    assert [learning_rate(step, 4, 1.0, schedule="halve") for step in range(4)] == [1, 1, 0.5, 0.5]
    assert {learning_rate(step, 4, 1.0, schedule="constant") for step in range(4)} == {1.0}
    stairs = [learning_rate(step, 6, 1.0, schedule="staircase", decay=0.5, decay_every=2) for step in range(6)]
    assert stairs == [1, 1, 0.5, 0.5, 0.25, 0.25]
    with pytest.raises(ValueError, match="schedule must be"):
        learning_rate(0, 4, 1.0, schedule="linear")


def test_average_follows_slowly():
    network = torch.nn.Linear(1, 1, bias=False)
    network.weight.data.fill_(1.0)
    ema = EMA(network, decay=0.5)
    expected = 1.0
    for update, value in enumerate([3.0, -2.0, 5.0, 0.0, 7.0, 1.0, 2.0, 8.0, 4.0, 6.0], start=1):
        network.weight.data.fill_(value)
        ema.update(network, update)
        decay = min(0.5, (1 + update) / (10 + update))
        expected = decay * expected + (1 - decay) * value
        assert ema.network.weight.item() == pytest.approx(expected, rel=1e-5)
    assert not ema.network.weight.requires_grad


def test_average_copies_statistics_and_is_float32():
    network = torch.nn.BatchNorm2d(2).bfloat16()
    ema = EMA(network)
    network(torch.rand(4, 2, 3, 3).bfloat16())
    ema.update(network, 1)
    assert ema.network.weight.dtype == torch.float32
    torch.testing.assert_close(ema.network.running_mean, network.running_mean.float())
    assert ema.network.num_batches_tracked == 1
    with pytest.raises(ValueError, match="decay must be in"):
        EMA(network, 1.0)


def test_samples_of_a_step_do_not_depend_on_who_takes_them():
    alone = list(StepSampler(2, 5, batch=8))
    assert alone == [list(range(16, 24)), list(range(24, 32)), list(range(32, 40))]
    shares = [list(StepSampler(2, 5, batch=8, rank=rank, world=2, parts=2)) for rank in range(2)]
    for step in range(3):
        taken = [n for share in shares for part in share[2 * step : 2 * step + 2] for n in part]
        assert taken == alone[step]
    assert len(StepSampler(2, 5, batch=8, parts=2)) == 6
    with pytest.raises(ValueError, match="batch of 8 does not divide by 3 processes times 1 parts"):
        StepSampler(0, 1, batch=8, world=3)


def test_log_drops_what_is_done_again(tmp_path):
    path = tmp_path / "log.csv"
    log = Log(path, ["step", "loss", "val_gain"])
    for step in (1, 2, 3):
        log.write({"step": step, "loss": step / 10})
    with path.open("a") as file:
        file.write("4,0.")  # a kill while writing
    log = Log(path, ["step", "loss", "val_gain"], start=2)
    log.write({"step": 3, "loss": 0.7, "val_gain": -1.5})
    assert read(path) == [
        {"step": 1, "loss": 0.1},
        {"step": 2, "loss": 0.2},
        {"step": 3, "loss": 0.7, "val_gain": -1.5},
    ]
    Log(path, ["step", "loss"])
    assert read(path) == []


def test_curves(tmp_path, capsys):
    pytest.importorskip("matplotlib")
    log = Log(tmp_path / "log.csv", ["step", "loss", "val_gain"])
    assert plot.main([str(tmp_path)]) == 2
    assert "has no rows yet" in capsys.readouterr().err
    for step in (1, 2, 3):
        log.write({"step": step, "loss": 1 / step, "val_gain": float(step)})
    assert plot.main([str(tmp_path)]) == 0
    assert (tmp_path / "curves.png").read_bytes().startswith(b"\x89PNG")
    assert plot.main([str(tmp_path / "nowhere")]) == 2
    assert "log.csv does not exist; give the folder of a training" in capsys.readouterr().err
    with pytest.raises(SystemExit):
        plot.main([])


def test_curves_without_matplotlib(tmp_path, monkeypatch):
    real = builtins.__import__

    def without(name, *args, **kwargs):
        if name.startswith("matplotlib"):
            raise ImportError(name)
        return real(name, *args, **kwargs)

    monkeypatch.setattr(builtins, "__import__", without)
    with pytest.raises(UserError, match="pip install matplotlib"):
        plot.plot(tmp_path / "log.csv", tmp_path / "curves.png")


def test_precision_and_device():
    assert choose_precision("fp32", CPU) == torch.float32
    assert choose_device("cpu") == CPU
    for name in ("fp8", "fp16"):
        with pytest.raises(UserError, match=f"--precision {name} is not for training"):
            choose_precision(name, CPU)
    with pytest.raises(UserError, match="unknown device 'quantum'"):
        choose_device("quantum")
    with pytest.raises(UserError, match="'cuda:99' was asked for but torch finds"):
        choose_device("cuda:99")


def test_every_process_takes_a_gpu_of_its_own(monkeypatch):
    monkeypatch.setattr(torch.cuda, "is_available", lambda: True)
    monkeypatch.setattr(torch.cuda, "device_count", lambda: 2)
    assert [choose_device("auto", rank) for rank in (0, 1)] == [torch.device("cuda:0"), torch.device("cuda:1")]
    assert choose_device("cuda:1", local_rank=0) == torch.device("cuda:1")
    with pytest.raises(UserError, match="'cuda:2' was asked for but torch finds 2 GPU"):
        choose_device("cuda", local_rank=2)


def test_training_is_never_in_float16(monkeypatch):
    monkeypatch.setattr(torch.cuda, "get_device_capability", lambda device: (7, 5))
    assert choose_precision("auto", torch.device("cuda")) == torch.float32
    monkeypatch.setattr(torch.cuda, "get_device_capability", lambda device: (9, 0))
    assert choose_precision("auto", torch.device("cuda")) == torch.bfloat16
    assert choose_precision("auto", torch.device("cuda"), finely=True) == torch.float32


def test_bf16_on_the_cpu_only_where_it_is_fast(monkeypatch):
    for probe in ("_is_avx512_bf16_supported", "_is_amx_tile_supported"):
        monkeypatch.setattr(torch.cpu, probe, lambda: False, raising=False)
    assert choose_precision("auto", CPU) == torch.float32
    with pytest.warns(UserWarning, match="this CPU emulates bf16"):
        assert choose_precision("bf16", CPU) == torch.bfloat16
    monkeypatch.setattr(torch.cpu, "_is_amx_tile_supported", lambda: True, raising=False)
    assert choose_precision("auto", CPU) == torch.bfloat16
    assert choose_precision("auto", CPU, finely=True) == torch.float32


def test_file_is_whole_or_not_there(tmp_path):
    path = tmp_path / "new" / "weights"
    with written_whole(path) as part:
        part.write_text("old")
    with pytest.raises(KeyError), written_whole(path) as part:
        raise KeyError(part.write_text("half"))
    assert path.read_text() == "old"
    assert list(path.parent.iterdir()) == [path]
    (tmp_path / "file").touch()
    with pytest.raises(UserError, match="cannot be written"), written_whole(tmp_path / "file" / "x") as part:
        part.write_text("")


def test_psnr_by_hand():
    truth = torch.zeros(1, 2, 3, 4, 4)
    image = truth.clone()
    image[:, 1] += 1.0
    found = psnr(image, truth)
    torch.testing.assert_close(found, torch.tensor([[100.0, 0.0]]))
    torch.testing.assert_close(psnr(truth + 0.1, truth), torch.full((1, 2), 20 * math.log10(255 / 26)))
    torch.testing.assert_close(psnr(truth - 1, truth), torch.full((1, 2), 100.0))


def test_psnr_agrees_with_scikit_image():
    from skimage.metrics import peak_signal_noise_ratio

    random = torch.Generator().manual_seed(0)
    image, truth = torch.randint(0, 256, (2, 1, 1, 3, 8, 8), generator=random, dtype=torch.uint8)
    expected = peak_signal_noise_ratio(truth.numpy(), image.numpy())
    assert psnr(image / 255, truth / 255).item() == pytest.approx(expected, abs=1e-4)


def test_toy_network_is_a_video_network():
    assert Filter()(torch.rand(1, 4, 3, 8, 8), "valid").shape == (1, 2, 3, 8, 8)
