"""Which body of an operator runs: the first in its table that can, or the one that was asked for.

`use_backend("reference")` asks within a block, the environment variable VDEBLUR_BACKEND everywhere else. A body that
cannot run says why, in words; `explain` shows the whole table.
"""

import os
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from contextvars import ContextVar
from dataclasses import dataclass
from typing import Any

import torch

from ..errors import UnknownBackend

NAMES = ("triton", "cuda", "cpu", "reference")
_TABLES: dict[str, Sequence["Backend"]] = {}
_asked: ContextVar[str | None] = ContextVar("vdeblur_backend", default=None)


@dataclass(frozen=True)
class Backend:
    """One body: `why_not(*arguments)` gives the reasons it cannot run, none if it can, and never raises."""

    name: str
    why_not: Callable[..., list[str]]
    run: Callable[..., Any]


def register(operator: str, *backends: Backend) -> None:
    """Sets an operator's bodies, the preferred first."""
    _TABLES[operator] = backends


@contextmanager
def use_backend(name: str | None) -> Iterator[None]:
    """Within the block every operator runs on the backend `name`, or raises NotImplementedError with its reason.

    None takes the choice back. Raises UnknownBackend, a ValueError, for a name that is no backend.
    """
    if name is not None:
        _check(name, "use_backend")
    token = _asked.set(name)
    try:
        yield
    finally:
        _asked.reset(token)


def run(operator: str, *arguments: Any) -> Any:
    """The operator on the backend asked for, else on the first that can. Autocast is not for what happens within: the
    results have the dtypes that the operator promises, whichever backend computes them.

    Raises NotImplementedError, with every reason, where that is none.
    """
    if torch._C._is_any_autocast_enabled():
        with torch._C._DisableAutocast():
            return run(operator, *arguments)
    asked = asked_for()
    for backend in _TABLES[operator]:
        if asked in (None, backend.name) and not backend.why_not(*arguments):
            return backend.run(*arguments)
    cannot = "no backend can" if asked is None else f"the backend {asked!r} was asked for and cannot"
    raise NotImplementedError(f"{cannot} run this call of {table(operator, *arguments)}")


def table(operator: str, *arguments: Any) -> str:
    """The operator's arguments in words, then a line for each backend: used, ready, or why not."""
    asked = asked_for()
    lines, used = [f"{operator}({', '.join(map(_describe, arguments))})"], False
    for backend in _TABLES[operator]:
        reasons = backend.why_not(*arguments)
        if reasons:
            verdict = f"no: {'; '.join(reasons)}"
        elif used or asked not in (None, backend.name):
            verdict = "could"
        else:
            verdict, used = "used", True
        lines.append(f"  {backend.name:10} {verdict}")
    if asked not in (None, *(backend.name for backend in _TABLES[operator])):
        lines.append(f"  {asked:10} no: {operator} has no such body")
    return "\n".join(lines)


def explain(operator: Callable[..., Any], *arguments: Any, **options: Any) -> str:
    """Which backend this call of an operator would run on, and why the others would not.

        print(vdeblur_fast.explain(vdeblur_fast.ops.pixel_distribute, x, aggregate, weight, bias))

    Raises what the call itself would raise for wrong arguments.
    """
    prepare = getattr(operator, "arguments", None)
    if prepare is None:
        raise TypeError(f"explain: needs an operator of vdeblur_fast.ops, got {operator!r}")
    return table(operator.__name__, *prepare(*arguments, **options))


def asked_for() -> str | None:
    """The backend asked for by `use_backend`, else by VDEBLUR_BACKEND; None where any will do."""
    asked = _asked.get()
    if asked is None and (asked := os.environ.get("VDEBLUR_BACKEND") or None):
        _check(asked, "VDEBLUR_BACKEND")
    return asked


def _check(name: str, where: str) -> None:
    if name not in NAMES:
        raise UnknownBackend(f"{where}: unknown backend {name!r}; use one of {', '.join(NAMES)}")


def _describe(argument: Any) -> str:
    if isinstance(argument, list):
        return f"[{', '.join(map(_describe, argument))}]"
    if isinstance(argument, torch.Tensor):
        return f"{tuple(argument.shape)} {str(argument.dtype).removeprefix('torch.')} {argument.device}"
    return repr(argument)
