"""Batch norms of several processes: what one would give for the whole batch."""

import pytest
import torch

from vdeblur_fast.training import distributed


@pytest.mark.parametrize("dtype", [torch.float32, torch.bfloat16])
def test_two_processes_with_the_same_share_give_what_one_gives(dtype, monkeypatch):
    torch.manual_seed(0)
    x = (3 + 2 * torch.randn(2, 4, 17, 19)).to(dtype)
    alone = torch.nn.BatchNorm2d(4)
    expected = alone(x)
    shared = torch.nn.BatchNorm2d(4)
    monkeypatch.setattr(distributed, "world_size", lambda: 2)
    monkeypatch.setattr(distributed, "total", lambda values: 2 * values)
    distributed.share_batch_norm(shared, torch.device("cpu"))
    found = shared(x)
    assert found.dtype == dtype
    torch.testing.assert_close(found, expected, rtol=0.02 if dtype == torch.bfloat16 else 1e-5, atol=1e-4)
    torch.testing.assert_close(shared.running_mean, alone.running_mean, rtol=1e-5, atol=1e-6)
    torch.testing.assert_close(shared.running_var, alone.running_var, rtol=2e-3, atol=0)  # of twice as many
    assert shared.num_batches_tracked == alone.num_batches_tracked
