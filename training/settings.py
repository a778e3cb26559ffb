"""Settings of a recipe as they are typed on a command line: KEY=VALUE."""

import dataclasses
import json
from typing import Any

from vdeblur_fast.errors import UserError

from .recipes import Recipe

FIXED = ("name", "network", "kind", "starts", "frozen")  # what makes a recipe this one
SET: dict[str, Any] = {"action": "append", "default": [], "metavar": "KEY=VALUE"}  # the option's arguments


def changed(recipe: Recipe, items: list[str]) -> Recipe:
    """The recipe with those settings. Raises UserError for one that it does not have."""
    changes: dict[str, Any] = {}
    for item in items:
        name, separator, text = item.partition("=")
        if not separator or name not in recipe.settings() or name in FIXED:
            known = ", ".join(name for name in recipe.settings() if name not in FIXED)
            raise UserError(f"--set {item} is not a setting; give KEY=VALUE with one of {known}")
        changes[name] = _value(item, text, recipe.settings()[name])
    return dataclasses.replace(recipe, **changes)


def _value(item: str, text: str, now: Any) -> Any:
    """`text` as a value of the kind that the setting has now."""
    if now is None or isinstance(now, str):
        return text
    try:
        value = json.loads(text)
        if not isinstance(now, list):
            return _like(value, now)
        if isinstance(value, dict) or (now and isinstance(now[0], float) and len(value) != len(now)):
            raise TypeError
        return tuple(_like(part, now[0] if now else 0) for part in value)
    except (ValueError, TypeError) as error:
        raise UserError(f"--set {item} does not fit; the recipe has {json.dumps(now)} there") from error


def _like(value: Any, now: Any) -> Any:
    """`value` as a number or a truth value as `now`. Raises TypeError or ValueError for another kind."""
    if isinstance(value, (str, list, dict)) or isinstance(now, bool) != isinstance(value, bool):
        raise TypeError
    if (number := type(now)(value)) != value:  # 3.5 as a whole number, NaN
        raise ValueError
    return number
