"""The largest frame that a network can take within a budget of memory."""

import os
import re
from concurrent.futures.process import BrokenProcessPool
from dataclasses import dataclass, replace
from pathlib import Path

from bench.memory_peak import Peak, Request, alone, measure_peak
from vdeblur_fast.errors import UserError

UNITS = {"": 1, "k": 10**3, "m": 10**6, "g": 10**9, "ki": 2**10, "mi": 2**20, "gi": 2**30}
SHARE = 0.7  # of the machine's free memory that a trial may take
MOST_SECONDS = 120  # for one trial
TRIALS = 5
AIM, CLOSE = 0.985, 0.96  # of the budget: what a trial is to take, and what is near enough


@dataclass(frozen=True)
class Largest:
    """A frame that fits and its peak; where it was not run, `peak` is None and `reason` says why."""

    width: int
    height: int
    peak: int | None
    reason: str = ""

    @property
    def pixels(self) -> int:
        return self.width * self.height


def largest(request: Request, peak: Peak, budget: int) -> Largest:
    """The largest frame of the same shape whose peak is within the budget.

    The growth from a smaller frame to this one says how large it might be, a run says whether it fits, and each run
    makes the next guess better. peak: of the request.
    Raises UserError where not even a small frame fits.
    """
    other = scaled(request, request.pixels / 4) or scaled(request, request.pixels * 4)
    found = {request.pixels: peak, other.pixels: alone(measure_peak, other)}
    best = Largest(request.width, request.height, peak.bytes) if peak.bytes <= budget else None
    for _ in range(TRIALS):
        trial = scaled(request, meets(AIM * budget, found))
        if trial is None or trial.pixels in found:
            break
        if reason := why_not_run(trial, found, budget):
            return Largest(trial.width, trial.height, None, reason)
        found[trial.pixels] = now = attempt(trial)
        if now.bytes <= budget and (best is None or trial.pixels > best.pixels):
            best = Largest(trial.width, trial.height, now.bytes)
            if now.bytes >= CLOSE * budget:
                break
    if best is None:
        raise UserError(
            f"--budget {in_words(budget)} is too little for {request.network}: it needs {in_words(peak.bytes)} for "
            f"{request.width}x{request.height}, {in_words(peak.idle)} of them before its first frame; give it more"
        )
    return best


def attempt(trial: Request) -> Peak:
    try:
        return alone(measure_peak, trial)
    except BrokenProcessPool:
        return Peak(available_bytes(trial.device), 0, 0.0)


def meets(budget: int, found: dict[int, Peak]) -> float:
    """Pixels at which the line through the two points nearest to the budget reaches it."""
    (x0, y0), (x1, y1) = sorted(((p, peak.bytes) for p, peak in found.items()), key=lambda at: abs(at[1] - budget))[:2]
    return x0 + (budget - y0) * (x1 - x0) / (y1 - y0) if y1 != y0 else x0


def scaled(request: Request, pixels: float) -> Request | None:
    """The request with so many pixels, its shape kept and both sides multiples of 8; None where nothing is left."""
    factor = (max(pixels, 0) / request.pixels) ** 0.5
    width, height = (int(side * factor) // 8 * 8 for side in (request.width, request.height))
    return replace(request, width=width, height=height) if min(width, height) >= 32 else None


def why_not_run(trial: Request, found: dict[int, Peak], budget: int) -> str:
    free = available_bytes(trial.device)
    if budget > SHARE * free:
        return f"only {in_words(free)} are free here"
    seconds = max(peak.seconds / pixels for pixels, peak in found.items()) * trial.pixels
    return f"it would take {seconds:.0f} s" if seconds > MOST_SECONDS else ""


def available_bytes(device: str) -> int:
    if device == "cuda":
        import torch

        return torch.cuda.mem_get_info()[0]
    info = Path("/proc/meminfo")
    if info.is_file():
        return 1024 * int(re.search(r"MemAvailable:\s+(\d+) kB", info.read_text()).group(1))
    return os.sysconf("SC_PHYS_PAGES") * os.sysconf("SC_PAGE_SIZE")


def read_bytes(text: str) -> int:
    found = re.fullmatch(r"(\d+(?:\.\d+)?)\s*(|[kmg]i?)b?", text.strip().lower())
    if found is None or not float(found[1]):
        raise UserError(f"--budget must be an amount of memory such as 4GiB or 800MB, got {text}")
    return int(float(found[1]) * UNITS[found[2]])


def in_words(count: float) -> str:
    return f"{count / 2**30:.2f} GiB" if count >= 2**30 else f"{count / 2**20:.1f} MiB"
