"""What a user can get wrong, each with one sentence that says what to do instead."""


class UserError(Exception):
    """A mistake of the caller's, not of ours: the text is one sentence, and the command exits with code 2."""
