"""What a user can get wrong, each with one sentence that says what to do instead."""


class UserError(Exception):
    """A mistake of the caller's, not of ours: the text is one sentence, and the command exits with code 2."""


class UnknownNetwork(UserError):
    """A name that no network has, or the name of one that does not turn frames into frames."""


class WeightsError(UserError):
    """A weights file that is missing, damaged, or belongs to another network."""


class DeviceError(UserError):
    """A device or a precision that cannot be had here."""


class UnsupportedByNetwork(UserError, ValueError):
    """A number of neighbours, a lookahead or tiles that the network cannot do with."""
