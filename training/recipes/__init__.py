"""The recipes, one file per paper, by name: `find("mmp-rnn-tiny")`.

A course is several recipes, one after another, each begun with what the ones before have learnt; its stages are recipes
as well, "david/single1" and so on.
"""

from vdeblur_fast.errors import UserError

from . import david, estrnn, gsta_net, mmp_net, mmp_net_tiny, mmp_rnn, mmp_rnn_tiny, strcnn
from .recipe import Recipe

COURSES: dict[str, list[Recipe]] = {**david.COURSES, **gsta_net.COURSES}
RECIPES: dict[str, Recipe] = {
    recipe.name: recipe
    for module in (mmp_net, mmp_net_tiny, mmp_rnn_tiny, mmp_rnn, estrnn, strcnn, david, gsta_net)
    for recipe in module.RECIPES
} | {stage.name: stage for stages in COURSES.values() for stage in stages}


def names() -> list[str]:
    """What `stages` knows, without the stages of courses."""
    return [*(name for name in RECIPES if "/" not in name), *COURSES]


def stages(name: str) -> list[Recipe]:
    """The recipes of a course in their order, or the one recipe of that name. Raises UserError for an unknown one."""
    return COURSES[name] if name in COURSES else [find(name)]


def find(name: str) -> Recipe:
    """The recipe of that name. Raises UserError for an unknown one."""
    if name in COURSES:
        raise UserError(
            f"{name} is trained in stages; choose one of {', '.join(stage.name for stage in COURSES[name])}"
        )
    if name not in RECIPES:
        raise UserError(f"unknown recipe {name!r}; choose one of {', '.join(names())}")
    return RECIPES[name]


__all__ = ["COURSES", "RECIPES", "Recipe", "find", "names", "stages"]
