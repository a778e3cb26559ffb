"""The precision that "auto" means is one that the device is fast at."""

import pytest
import torch

from vdeblur_fast import device
from vdeblur_fast.device import choose_device, choose_precision

CPU = torch.device("cpu")


def test_auto_on_a_cpu_is_bfloat16_only_where_it_is_native(monkeypatch):
    monkeypatch.setattr(device, "cpu_is_fast_at", lambda precision: True)
    assert choose_precision(CPU) is torch.bfloat16
    assert choose_precision(CPU, finely=True) is torch.float32
    assert choose_precision(CPU, "bf16", finely=True) is torch.bfloat16  # it was asked for
    monkeypatch.setattr(device, "cpu_is_fast_at", lambda precision: precision == "fp32")
    assert choose_precision(CPU) is torch.float32


@pytest.mark.parametrize(("capability", "dtype"), [((9, 0), "bfloat16"), ((7, 5), "float16"), ((6, 1), "float32")])
def test_auto_on_a_gpu_follows_its_capability(monkeypatch, capability, dtype):
    monkeypatch.setattr(torch.cuda, "get_device_capability", lambda device: capability)
    assert choose_precision(torch.device("cuda")) is getattr(torch, dtype)


@pytest.mark.parametrize(("capability", "dtype"), [((9, 0), "float16"), ((7, 5), "float16"), ((6, 1), "float32")])
def test_what_needs_more_than_eight_bits_gets_eleven_of_a_gpu(monkeypatch, capability, dtype):
    monkeypatch.setattr(torch.cuda, "get_device_capability", lambda device: capability)
    assert choose_precision(torch.device("cuda"), finely=True) is getattr(torch, dtype)


def test_an_emulated_precision_is_warned_of(monkeypatch):
    monkeypatch.setattr(device, "cpu_is_fast_at", lambda precision: precision == "fp32")
    with pytest.warns(UserWarning, match="this CPU emulates bf16"):
        assert choose_precision(CPU, "bf16") is torch.bfloat16


def test_auto_finds_a_device():
    assert choose_device("auto").type in ("cpu", "cuda")
    assert choose_device("cpu") == CPU
