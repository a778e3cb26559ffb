"""Muon's steps by hand, and beside Adam's."""

import pytest
import torch

from vdeblur_fast.training.muon import Muon, orthogonal
from vdeblur_fast.training.recipes import RECIPES


@pytest.mark.parametrize("size", [(3, 8, 40), (2, 40, 8), (1, 16, 16)])
def test_orthogonal_keeps_directions_and_drops_sizes(size):
    torch.manual_seed(0)
    given = torch.randn(size) * 1e-4
    found = orthogonal(given)
    u, _, v = torch.linalg.svd(given, full_matrices=False)
    sizes = torch.linalg.svdvals(found)
    if size[1] != size[2]:  # a square random matrix has directions so faint that five steps do not reach them
        assert sizes.min() > 0.6
        assert sizes.max() < 1.25
    along = (found * (u @ v)).sum((1, 2)) / found.norm(dim=(1, 2)) / (u @ v).norm(dim=(1, 2))
    assert along.min() > 0.95


def test_a_gradient_of_zeros_moves_nothing():
    assert torch.equal(orthogonal(torch.zeros(1, 4, 9)), torch.zeros(1, 4, 9))


def groups(**more):
    torch.manual_seed(1)
    kernel, bias = torch.nn.Parameter(torch.randn(16, 8, 3, 3)), torch.nn.Parameter(torch.randn(16))
    return kernel, bias, [{"params": [bias]}, {"params": [kernel], "orthogonal": True, **more}]


def test_entries_of_a_step_are_as_large_as_said():
    kernel, bias, chosen = groups()
    before, bias_before = kernel.detach().clone(), bias.detach().clone()
    optimizer = Muon(chosen, lr=1e-2)
    kernel.grad, bias.grad = torch.randn_like(kernel) * 1e3, torch.ones_like(bias)
    optimizer.step()
    rms = (kernel - before).square().mean().sqrt().item()
    assert rms == pytest.approx(0.2e-2, rel=0.2)
    torch.testing.assert_close(bias.detach(), bias_before - 1e-2)  # Adam's first step


def test_centred_kernels_keep_their_mean_and_their_size():
    kernel, bias, chosen = groups(centred=True)
    size, mean = kernel.norm().item(), kernel.detach().mean((1, 2, 3))
    optimizer = Muon(chosen, lr=1e-2)
    for _ in range(3):
        before = kernel.detach().clone()
        kernel.grad, bias.grad = torch.randn_like(kernel), torch.ones_like(bias)
        optimizer.step()
        assert not torch.equal(kernel, before)
        assert kernel.norm().item() == pytest.approx(size, rel=1e-5)
        torch.testing.assert_close(kernel.detach().mean((1, 2, 3)), mean, rtol=0.1, atol=1e-6)


@pytest.mark.parametrize("centred", [False, True])
def test_state_continues(centred):
    torch.manual_seed(2)
    gradients = [torch.randn(16, 8, 3, 3) for _ in range(4)]

    def steps(optimizer, kernel, chosen):
        for gradient in chosen:
            kernel.grad = gradient.clone()
            optimizer.step()

    whole, _, chosen = groups(centred=centred)
    steps(Muon(chosen, lr=1e-2), whole, gradients)
    kernel, _, chosen = groups(centred=centred)
    first = Muon(chosen, lr=1e-2)
    steps(first, kernel, gradients[:2])
    second = Muon(chosen, lr=1e-2)
    second.load_state_dict(first.state_dict())
    steps(second, kernel, gradients[2:])
    assert torch.equal(whole, kernel)


def test_what_muon_steps():
    recipe = RECIPES["mmp-rnn-tiny"]
    task = recipe.make_task()
    found = {id(w): g for g in recipe.make_optimizer(task).param_groups for w in g["params"]}
    trained = {n: w for n, w in task.network.named_parameters() if w.requires_grad}
    assert found.keys() == {id(w) for w in trained.values()}
    kernels = {n for n, w in trained.items() if found[id(w)].get("orthogonal")}
    assert any("dense.0.weight" in name for name in kernels)
    assert not any(part in name for name in kernels for part in ("stem", "head", "skip", "mmam", "bias"))
