"""One line of log for each thing that happens: JSON for programs, text for people.

    {"time": "2026-03-01T12:00:00.123Z", "level": "INFO", "logger": "vcd.stream.worker",
     "message": "report published", "trace_id": "5f0c", "place": "vcd.uploads/3@17"}

What a caller hands in as ``extra`` becomes fields. Whatever a hostile name or
message holds, a line stays one line, and JSON stays JSON.
"""

import json
import logging
import math
import sys
from datetime import UTC, datetime

__all__ = ["JsonLines", "TextLines", "log_to_stderr"]

_OWN_FIELDS = frozenset(logging.makeLogRecord({}).__dict__) | {"message", "asctime", "taskName"}
"""What every record has of itself (``taskName`` from Python 3.12 on); the rest are extras."""


class JsonLines(logging.Formatter):
    """Each record as one JSON object on one line of ASCII."""

    def format(self, record: logging.LogRecord) -> str:
        fields: dict[str, object] = {
            "time": _time(record),
            "level": record.levelname,
            "logger": record.name,
            "message": _sound(record.getMessage()),
        }
        trace = _trace(self, record)
        if trace:
            fields["exception"] = _sound(trace)
        for name, value in _extras(record).items():
            fields.setdefault(_sound(name), _plain(value))
        return json.dumps(fields, allow_nan=False)


class TextLines(logging.Formatter):
    """Time, level, logger, message, then the extras; nothing in them can move the cursor."""

    def format(self, record: logging.LogRecord) -> str:
        extras = " ".join(f"{name}={_plain(value)}" for name, value in _extras(record).items())
        line = f"{_time(record)} {record.levelname} {record.name}: {record.getMessage()}"
        lines = [f"{line} ({extras})" if extras else line]
        lines += [f"    {part}" for part in _trace(self, record).splitlines()]
        return "\n".join(_printable(part) for part in lines)


def log_to_stderr(*, as_json: bool) -> None:
    """Write what this package logs, from INFO on, to stderr, in place of what was written so far.

    Args:
        as_json: `JsonLines`, for a collector of logs; else `TextLines`, for a terminal.
    """
    handler = logging.StreamHandler(sys.stderr)
    handler.setFormatter(JsonLines() if as_json else TextLines())
    root = logging.getLogger()
    for other in list(root.handlers):
        if type(other) is logging.StreamHandler:  # not those of its kinds, which test tools add
            root.removeHandler(other)
    root.addHandler(handler)
    for name in ("vcd", "pipelines"):
        logger = logging.getLogger(name)
        logger.setLevel(min(logging.INFO, logger.level or logging.INFO))


def _extras(record: logging.LogRecord) -> dict[str, object]:
    return {name: value for name, value in vars(record).items() if name not in _OWN_FIELDS}


def _time(record: logging.LogRecord) -> str:
    at = datetime.fromtimestamp(record.created, UTC).isoformat(timespec="milliseconds")
    return at.replace("+00:00", "Z")


def _trace(formatter: logging.Formatter, record: logging.LogRecord) -> str:
    """Write down the exception and the stack that came with a record; "" when there is none."""
    parts = [record.exc_text or ""]
    if record.exc_info and not record.exc_text:
        parts = [formatter.formatException(record.exc_info)]
    if record.stack_info:
        parts.append(formatter.formatStack(record.stack_info))
    return "\n".join(part for part in parts if part)


def _plain(value: object) -> object:
    """Turn a value into something that JSON has; text where it has nothing like it."""
    if value is None or isinstance(value, bool | int):
        return value
    if isinstance(value, float) and math.isfinite(value):
        return value
    return _sound(str(value))


def _sound(text: str) -> str:
    """Escape the halves of surrogate pairs, which no strict reader of JSON takes."""
    return text.encode("utf-8", "backslashreplace").decode("utf-8")


def _printable(text: str) -> str:
    return "".join(
        char if char.isprintable() else char.encode("unicode_escape").decode("ascii")
        for char in text
    )
