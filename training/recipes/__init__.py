"""The recipes, one file per network, by name: `find("mmp-rnn-tiny")`."""

from vdeblur_fast.errors import UserError

from . import estrnn, mmp_net, mmp_net_tiny, mmp_rnn, mmp_rnn_tiny
from .recipe import Recipe

RECIPES: dict[str, Recipe] = {
    recipe.name: recipe
    for module in (mmp_net, mmp_net_tiny, mmp_rnn_tiny, mmp_rnn, estrnn)
    for recipe in module.RECIPES
}


def find(name: str) -> Recipe:
    """The recipe of that name. Raises UserError for an unknown one."""
    if name not in RECIPES:
        raise UserError(f"unknown recipe {name!r}; choose one of {', '.join(RECIPES)}")
    return RECIPES[name]


__all__ = ["RECIPES", "Recipe", "find"]
