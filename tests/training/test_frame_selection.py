"""Equations 9 to 12 of GSTA, against what they say, spelt out."""

import pytest
import torch
from torch import nn

from vdeblur_fast.reference.networks import EvaluationNetwork, FrameSelectionNetwork
from vdeblur_fast.training import frame_selection as rl


class Curved(nn.Module):
    """A critic that is not linear."""

    def __init__(self):
        super().__init__()
        self.hidden, self.value = nn.Linear(51, 9), nn.Linear(9, 1)

    def forward(self, state, actions):
        return self.value(self.hidden(torch.cat([state, actions.to(state)], -1)).tanh())[..., 0]


@pytest.mark.parametrize("critic", [EvaluationNetwork, Curved])
def test_the_counterfactual_baseline_is_the_brute_force(critic):
    torch.manual_seed(0)
    critic = critic()
    state, probabilities = torch.randn(3, 26), torch.rand(3, 25)
    actions = torch.rand(3, 25) < 0.5
    found = rl.counterfactual_advantage(critic, state, actions, probabilities)
    assert not found.requires_grad
    with torch.no_grad():
        for clip in range(3):
            value = critic(state[clip], actions[clip])
            for agent in range(25):
                baseline = 0
                for action, share in ((True, probabilities[clip, agent]), (False, 1 - probabilities[clip, agent])):
                    other = actions[clip].clone()
                    other[agent] = action
                    baseline += share * critic(state[clip], other)
                torch.testing.assert_close(found[clip, agent], value - baseline, rtol=1e-4, atol=1e-6)


def test_an_agent_that_never_does_otherwise_has_no_advantage():
    torch.manual_seed(0)
    actions = torch.rand(2, 25) < 0.5
    advantage = rl.counterfactual_advantage(EvaluationNetwork(), torch.randn(2, 26), actions, actions.float())
    assert torch.equal(advantage, torch.zeros(2, 25))


@pytest.mark.parametrize(
    ("gain", "picked", "u", "expected"),
    [
        (2.0, 0, 5, 2.0 + 1),  # the current frame alone is one frame
        (2.0, 3, 5, 0.5 + 1),
        (2.0, 4, 5, 0.4 + 1),
        (2.0, 5, 5, 2 / 6),  # as many as u are not fewer
        (2.0, 7, 5, 0.25),
        (-1.0, 1, 5, -0.5 + 1),
        (0.0, 0, 0, 0.0),
    ],
)
def test_the_cases_of_the_reward(gain, picked, u, expected):
    found = rl.reward(torch.tensor([gain]), torch.tensor([picked]), u)
    assert found.item() == pytest.approx(expected)
    weighted = rl.reward(torch.tensor([gain]), torch.tensor([picked]), torch.tensor([u]), alpha1=3.0, alpha2=0.0)
    assert weighted.item() == pytest.approx(3 * gain / (picked + 1))


def test_the_critic_learns_the_reward():
    value, reward = torch.tensor([1.0, 4.0], requires_grad=True), torch.tensor([2.0, 2.0], requires_grad=True)
    loss = rl.evaluation_loss(value, reward)
    loss.backward()
    assert loss.item() == pytest.approx(0.5 * (1 + 4) / 2)
    assert value.grad.tolist() == [-0.5, 1.0]
    assert reward.grad is None


def test_the_policy_gradient():
    probabilities = torch.tensor([[0.8, 0.3, 0.5]], requires_grad=True)
    actions, advantage = torch.tensor([[True, False, True]]), torch.tensor([[2.0, -1.0, 5.0]])
    rl.policy_loss(probabilities, actions, advantage, torch.tensor([True, True, False])).backward()
    # d log p / dp = 1 / p for a pick, -1 / (1 - p) for a skip; the loss has the other sign; the third does not decide
    torch.testing.assert_close(probabilities.grad, torch.tensor([[-2 / 0.8, -1 / 0.7, 0.0]]))


def test_a_certain_agent_does_not_break_the_loss():
    probabilities = torch.tensor([[0.0, 1.0]], requires_grad=True)
    loss = rl.policy_loss(probabilities, torch.tensor([[True, False]]), torch.zeros(1, 2), torch.tensor([True, True]))
    assert loss.item() == 0


def test_samples_follow_the_policy():
    probabilities = torch.full((4000, 25), 0.25)
    probabilities[:, 3], probabilities[:, 5] = 0, 1
    available = torch.ones(25, dtype=torch.bool)
    available[20:] = False
    free = rl.free_agents(available)
    assert free.sum() == 19
    actions = rl.sample_actions(probabilities, free, torch.rand(4000, 25, generator=torch.Generator().manual_seed(0)))
    rate = actions.float().mean(0)
    assert rate[12] == 1
    assert rate[20:].max() == 0
    assert (rate[3], rate[5]) == (0, 1)
    assert rate[0].item() == pytest.approx(0.25, abs=0.03)


def test_a_few_steps_teach_the_policy_a_rule():
    """One neighbour is worth 3 dB, every other costs half: the policy comes to pick it alone."""
    torch.manual_seed(0)
    policy, critic = FrameSelectionNetwork(width=4, channels_per_frame=1), EvaluationNetwork()
    groups = [{"params": policy.parameters(), "lr": 0.005}, {"params": critic.parameters(), "lr": 0.05}]
    optimizer = torch.optim.Adam(groups)
    thumbnails, free = torch.rand(1, 25, 3, 4, 4).expand(16, -1, -1, -1, -1), rl.free_agents(torch.ones(25).bool())
    for _ in range(120):
        probabilities, state = policy(thumbnails, 5)
        actions = rl.sample_actions(probabilities, free, torch.rand(16, 25))
        rewards = 3.5 * actions[:, 4] - 0.5 * (actions.sum(1) - 1)
        advantage = rl.counterfactual_advantage(critic, state, actions, probabilities)
        loss = rl.policy_loss(probabilities, actions, advantage, free)
        loss = loss + rl.evaluation_loss(critic(state.detach(), actions), rewards)
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
    learnt = policy(thumbnails[:1], 5)[0][0].detach()
    assert learnt[4] > 0.95
    free[4] = False
    assert learnt[free].max() < 0.05
