"""What a user can get wrong, each with one sentence that says what to do instead."""

import sys
from collections.abc import Callable
from functools import wraps


class UserError(Exception):
    """A mistake of the caller's, not of ours: the text is one sentence, and the command exits with code 2."""


class UnknownNetwork(UserError):
    """A name that no network has, or the name of one that does not turn frames into frames."""


class WeightsError(UserError):
    """A weights file that is missing, damaged, or belongs to another network."""


class DeviceError(UserError):
    """A device or a precision that cannot be had here."""


class UnknownBackend(UserError, ValueError):
    """A name, of VDEBLUR_BACKEND or in a program, that no operator's body has."""


class NotFinite(UserError):
    """A network whose images are no numbers: its weights, or the precision, do not do."""


class UnsupportedByNetwork(UserError, ValueError):
    """A number of neighbours, a lookahead or tiles that the network cannot do with."""


def told(program: str) -> Callable[[Callable[..., int | None]], Callable[..., int]]:
    """Decorates a command: its exit status, 0 where it gives none; for a UserError 2, and the sentence is printed."""

    def decorate(command: Callable[..., int | None]) -> Callable[..., int]:
        @wraps(command)
        def run(arguments: list[str] | None = None) -> int:
            try:
                return command(arguments) or 0
            except UserError as error:
                print(f"{program}: {error}", file=sys.stderr)
                return 2

        return run

    return decorate
