"""The non-local block, eager and through PyTorch's fused attention."""

import torch

from vdeblur_fast.reference.modules.non_local import NonLocal


def test_it_attends_over_all_positions_of_all_frames():
    torch.manual_seed(0)
    block, x = NonLocal(6).requires_grad_(False), torch.randn(2, 3, 6, 4, 5)
    y = block(x)
    flat = x[1].permute(0, 2, 3, 1).reshape(-1, 6)
    scores = torch.stack([block.phi(flat) @ block.theta(p) for p in flat])
    want = flat + block.out(scores.softmax(1) @ block.g(flat))
    torch.testing.assert_close(y[1].permute(0, 2, 3, 1).reshape(-1, 6), want)


def test_the_efficient_form_is_the_same_function():
    torch.manual_seed(0)
    eager, x = NonLocal(8).requires_grad_(False), torch.randn(1, 2, 8, 6, 7)
    efficient = NonLocal(8, efficient=True).requires_grad_(False)
    efficient.load_state_dict(eager.state_dict())
    torch.testing.assert_close(efficient(x), eager(x))
