"""Make settings of a table of names and values, or say which of them is wrong.

pydantic checks and converts the values; what it is told is only the dataclass.
"""

import math
import typing
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import is_dataclass
from typing import Any, TypeVar

from vcd.core.errors import SetupError

__all__ = ["flattened", "refuse_unknown", "settings_from", "valid_settings"]

T = TypeVar("T")


def settings_from(kind: type[T], table: Mapping[str, Any], *, origin: str, name: str) -> T:
    """Make settings of one table of a file, as those of a training recipe.

    Args:
        kind: a dataclass, of which fields may be dataclasses.
        table: as read.
        origin: the file, for the error.
        name: of the table, for the error.

    Raises:
        SetupError: a key is unknown, or a value is not of its kind.
    """
    refuse_unknown(table, kind, origin, f"{name}.")
    return valid_settings(kind, table, [f"{origin}: [{name}]"])


def refuse_unknown(layer: Mapping[str, Any], tree: type, origin: str, at: str = "") -> None:
    """Refuse a key that the settings do not know, and a value where a table belongs.

    Args:
        layer: nested tables.
        tree: the dataclass of the settings.
        origin: where the layer comes from, for the error.
        at: dotted place of the layer, ending in a dot; "" for the whole tree.

    Raises:
        SetupError: names the first such key.
    """
    kinds = typing.get_type_hints(tree)
    for key, value in layer.items():
        if key not in kinds:
            where = f"[{at.rstrip('.')}] knows" if at else "the rooms are"
            raise SetupError(f"{origin}: unknown setting {at}{key}; {where} {', '.join(kinds)}")
        if is_dataclass(kinds[key]):
            if not isinstance(value, Mapping):
                raise SetupError(f"{origin}: {at}{key}: wanted a table of settings, got {value!r}")
            refuse_unknown(value, kinds[key], origin, f"{at}{key}.")


def valid_settings(kind: type[T], merged: Mapping[str, Any], origins: Sequence[str]) -> T:
    """Check and convert every value.

    Args:
        kind: the dataclass of the settings.
        merged: nested tables, of known keys only.
        origins: where the values come from, for the error.

    Raises:
        SetupError: names the first value that is not of its kind.
    """
    from pydantic import TypeAdapter, ValidationError

    try:
        settings: T = TypeAdapter(kind).validate_python(merged)
    except ValidationError as error:
        first = error.errors()[0]
        key = ".".join(str(part) for part in first["loc"])
        where = f"{key}: " if key else ""
        got = "" if isinstance(first["input"], Mapping) else f", got {first['input']!r}"
        about = first["msg"].removeprefix("Value error, ")
        if first["type"] == "tuple_type":
            about = 'wanted a list, as ["one", "two"]'
        raise SetupError(f"{' and '.join(origins)}: {where}{about}{got}") from error
    for key, value in flattened(TypeAdapter(kind).dump_python(settings)):
        if isinstance(value, float) and math.isnan(value):
            raise SetupError(f"{' and '.join(origins)}: {key}: wanted a number, got nan")
    return settings


def flattened(tree: Mapping[str, Any], at: str = "") -> Iterator[tuple[str, Any]]:
    """Give every leaf with its dotted key: ``{"a": {"b": 1}}`` -> ``("a.b", 1)``."""
    for key, value in tree.items():
        if isinstance(value, Mapping):
            yield from flattened(value, f"{at}{key}.")
        else:
            yield f"{at}{key}", value
