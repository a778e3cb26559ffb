"""The frames' aggregates mixed over time."""

import torch


def temporal_squeeze(
    aggregate: torch.Tensor, mean: torch.Tensor, weight: torch.Tensor, bias: torch.Tensor
) -> torch.Tensor:
    """Temporal aggregation (GSTA, equations 3 and 4).

    aggregate (B, T, C, M) and mean (B, T, C) of `spatial_squeeze`; weight (N, C), bias (N) of f_t
    -> (B, C, M * N), map m of space and n of time at m * N + n.

    Equivalent to:
        attention = softmax(conv1d(mean, weight, bias), over the frames)
        (aggregate * attention).sum(over the frames)
    """
    attention = (mean @ weight.to(mean).mT + bias.to(mean)).softmax(1)
    return torch.einsum("btcm,btn->bcmn", aggregate, attention).flatten(2)
