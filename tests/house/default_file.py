"""Write configs/default.toml from the settings' own words: python -m tests.house.default_file."""

import dataclasses
import json
import textwrap
from typing import Any

from tests.house.house import ROOT, field_docs
from vcd.config import Settings

PATH = ROOT / "configs/default.toml"
_HEAD = """\
# Every setting of the detector with its default; take the # away to change one.
# A file like this (--config FILE) gives way to the environment (VCD_MEDIA__RATE_HZ=4), and that
# to flags. Thresholds that nobody sets are those that the chosen weights were measured with.
"""


def default_file() -> str:
    rooms = field_docs(Settings)
    parts = [_HEAD]
    for room in dataclasses.fields(Settings):
        parts += _table(room.name, rooms[room.name], getattr(Settings(), room.name))
    return "\n".join(parts)


def _table(name: str, doc: str, settings: Any) -> list[str]:
    """Write the settings of a room, then the tables inside it."""
    docs, inner = field_docs(type(settings)), []
    parts = [f"[{name}]\n{_comment(doc)}"]
    for field in dataclasses.fields(settings):
        value = getattr(settings, field.name)
        if dataclasses.is_dataclass(value):
            inner += _table(f"{name}.{field.name}", docs[field.name], value)
        else:
            parts.append(f"{_comment(docs[field.name])}#{field.name} = {_written(value)}\n")
    return parts + inner


def _comment(text: str) -> str:
    sentence = (text[0].upper() + text[1:]).replace("``", "")
    lines = textwrap.wrap(sentence, 96, break_on_hyphens=False)
    return "".join(f"# {line}\n" for line in lines)


def _written(value: Any) -> str:
    if value is None:
        return "none"
    return repr(value) if isinstance(value, float) else json.dumps(value)


if __name__ == "__main__":
    PATH.write_text(default_file(), encoding="utf-8")
