"""Say who is at fault: the item, the world, or the set-up.

    VcdError
      InputError      the item is at fault: refuse it, name it, go on
      TransientError  the world is at fault: try again later
      SetupError      we are at fault: stop, non-zero exit

A message says what was wanted, what was found, and in which item.
"""

__all__ = ["InputError", "SetupError", "TransientError", "VcdError"]


class VcdError(Exception):
    """The root of every error that this package raises on purpose.

    Attributes:
        reason: one word of ``docs/glossary.md`` for the class of what happened, to count by; ""
            where nobody counts.
    """

    def __init__(self, message: str, *, reason: str = "") -> None:
        super().__init__(message)
        self.reason = reason


class InputError(VcdError):
    """One item cannot be used; the others can."""


class TransientError(VcdError):
    """The same call may succeed later."""


class SetupError(VcdError):
    """Nothing can succeed until somebody changes the set-up."""
