"""How the choice of frames is learnt (GSTA section 3.2, Eq. 9 to 12): what a recipe puts together.

A step: the policy's probabilities, a sample of actions, the restoration with the picked frames, its reward; the critic
(`EvaluationNetwork`) learns to foretell the reward, and each agent is judged by what the critic thinks its action
changed.

Actions are bool (B, 25), one agent for each frame of the window. The current frame is always picked and a frame that is
not there never is: `free` (bool, broadcast to (B, 25)) says whose agents decide.
"""

from collections.abc import Callable

import torch

# critic(state (..., S), actions (..., N)) -> value (...)
Critic = Callable[[torch.Tensor, torch.Tensor], torch.Tensor]


def free_agents(available: torch.Tensor) -> torch.Tensor:
    """Which agents decide: those of frames that there are, but for the current one in the middle."""
    free = available.clone()
    free[..., free.shape[-1] // 2] = False
    return free


def sample_actions(probabilities: torch.Tensor, free: torch.Tensor, chances: torch.Tensor) -> torch.Tensor:
    """Actions as the policy has them, (B, N) -> bool (B, N): each free agent picks with its probability, the current
    frame in the middle is picked.

    chances: random numbers in [0, 1), (B, N). They come with the clips, so that the actions of a step do not depend on
    how many processes share it.
    """
    actions = (chances < probabilities) & free
    actions[:, actions.shape[1] // 2] = True
    return actions


def frame_score(picked: torch.Tensor, u: torch.Tensor | int) -> torch.Tensor:
    """FS of Eq. 9: 1 where fewer than u neighbours are picked, else 0, to the letter of the paper: u itself is not
    fewer."""
    return (picked < u).float()


def reward(
    restoration: torch.Tensor, picked: torch.Tensor, u: torch.Tensor | int, alpha1: float = 1.0, alpha2: float = 1.0
) -> torch.Tensor:
    """Eq. 9: alpha1 * RS / P + alpha2 * FS, (B,).

    restoration (B,): RS, the PSNR gained, in dB. picked (B,): neighbours picked, the current frame not among them.
    P, the frames fused, has the current frame in it, so nobody divides by zero. The paper prints no alphas.
    """
    return alpha1 * restoration / (picked + 1) + alpha2 * frame_score(picked, u)


def evaluation_loss(value: torch.Tensor, reward: torch.Tensor) -> torch.Tensor:
    """Eq. 10: half the squared error of the critic's values, mean over the batch."""
    return 0.5 * (value - reward.detach()).square().mean()


def counterfactual_advantage(
    critic: Critic, state: torch.Tensor, actions: torch.Tensor, probabilities: torch.Tensor
) -> torch.Tensor:
    """Eq. 11: how much better than what agent i would have done on average was what it did, (B, N), no gradient.

    state (B, S), actions (B, N), probabilities (B, N) of the action "pick".

    With two actions, V(s, a) less its mean over the agent's actions is the difference to the other action, times the
    other action's probability: one more value per agent.

    Equivalent to, for each i:
        V(s, a) - sum over a' in (0, 1) of pi(a'|s) * V(s, a with a_i = a')
    """
    with torch.no_grad():
        agents = actions.shape[1]
        flipped = actions[:, None] ^ torch.eye(agents, dtype=torch.bool, device=actions.device)
        others = critic(state[:, None].expand(-1, agents, -1), flipped)
        other_action = torch.where(actions, 1 - probabilities, probabilities)
        return other_action * (critic(state, actions)[:, None] - others)


def policy_loss(
    probabilities: torch.Tensor, actions: torch.Tensor, advantage: torch.Tensor, free: torch.Tensor
) -> torch.Tensor:
    """What to minimise so that its gradient descends along Eq. 12: minus sum over the free agents of log pi(a_i|s) *
    W_i, mean over the batch. No gradient passes to the advantage."""
    taken = torch.where(actions, probabilities, 1 - probabilities)
    logs = taken.clamp_min(torch.finfo(taken.dtype).tiny).log()
    return -(logs * advantage.detach() * free).sum(1).mean()
