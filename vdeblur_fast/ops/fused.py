"""Whether fused bodies can run at all, before there is a call to ask about."""

import torch

from . import cuda, dispatch, native, triton


def why_not_fused(like: torch.Tensor, only: str | None = None) -> str:
    """Why no fused body would take frames of this tensor's device and dtype; "" where one would.

    only: the backend that must be the one, for operators that have no other.
    """
    asked = dispatch.asked_for()
    if asked == "reference" or (asked and only and asked != only):
        return f'the backend "{asked}" was asked for'
    reasons = {"triton": triton.why_not(like), "cuda": cuda.why_not(like), "cpu": "; ".join(native.why_not(like))}
    if (only or asked) in reasons:
        return reasons[only or asked]
    return "" if "" in reasons.values() else "; ".join(f"{name} {reason}" for name, reason in reasons.items())
