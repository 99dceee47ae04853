"""Say to whom an index belongs, so that nobody else writes in it.

An index that follows a message bus has one file more: ``log.json``, which its
follower writes (`vcd.stream.references.snapshot`). Everybody may read such an index; its
references are changed on the bus.
"""

import json
from pathlib import Path

from vcd.core import SetupError

__all__ = ["OWNER_NAME", "followed_log", "refuse_followed_index"]

OWNER_NAME = "log.json"


def followed_log(path: Path) -> str | None:
    """Say which log an index follows; None where it is nobody's.

    Args:
        path: directory of the index, made or not.

    Raises:
        SetupError: that cannot be seen.
    """
    try:
        text = (path / OWNER_NAME).read_text()
    except (FileNotFoundError, NotADirectoryError):
        return None
    except OSError as error:
        raise SetupError(f"{path / OWNER_NAME}: cannot be read: {error.strerror}") from error
    return _log_of(text)


def refuse_followed_index(path: Path) -> None:
    """Refuse to write where the follower of a log does.

    Args:
        path: directory of the index, made or not.

    Raises:
        SetupError: the index belongs to a log, or that cannot be seen.
    """
    log = followed_log(path)
    if log is not None:
        raise SetupError(
            f"{path}: the index follows the log {log}: change its references with "
            f"`vcd references add|remove --log {log}`, or make an index of your own"
        )


def _log_of(text: str) -> str:
    try:
        return str(json.loads(text)["address"])
    except (KeyError, TypeError, ValueError):
        return "ADDRESS"
