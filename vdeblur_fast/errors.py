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


MISTAKE, INTERRUPTED = 2, 130  # exit statuses


def told(program: str) -> Callable[[Callable[..., int | None]], Callable[..., int]]:
    """Decorates a command: its exit status, 0 where it gives none; 2 for a mistake of the user's, a file that cannot be
    read or written or too little memory, of which one sentence is printed, and 130 after Ctrl-C. A mistake of ours
    keeps its traceback."""

    def decorate(command: Callable[..., int | None]) -> Callable[..., int]:
        @wraps(command)
        def run(arguments: list[str] | None = None) -> int:
            try:
                return command(arguments) or 0
            except KeyboardInterrupt:
                print(f"{program}: interrupted", file=sys.stderr)
                return INTERRUPTED
            except Exception as error:
                from .cli.failures import explain  # which knows the errors above

                sentence = explain(error)
                if sentence is None:
                    raise
                print(f"{program}: {sentence}", file=sys.stderr)
                return MISTAKE

        return run

    return decorate
