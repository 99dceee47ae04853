"""What a verb says: progress and a closing line on stderr, data on stdout."""

import json
import re
import sys
from collections import Counter
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Protocol

__all__ = ["Outcome", "Progress", "counted", "print_json", "progress", "say"]

_MAX_REASONS = 3
"""Kinds of refusal that fit in a closing line; each refusal was named in full before."""


class Progress(Protocol):
    """How far the work has come."""

    def advance(self, note: str = "") -> None:
        """One more is done; the note says which, and replaces the one before it."""
        ...


@dataclass(slots=True)
class Outcome:
    """Counts what became of the items, for the closing line and for the exit code.

    Attributes:
        num_done: items that were worked on.
        num_unchanged: items that were done before.
        refused: reason of each refused item, by its name.
        unseen_s: seconds that could not be looked at, of each item of which there are any.
    """

    num_done: int = 0
    num_unchanged: int = 0
    refused: dict[str, str] = field(default_factory=dict)
    unseen_s: dict[str, float] = field(default_factory=dict)

    def refuse(self, name: str, reason: str) -> None:
        """Count a refused item and say at once which one and why."""
        self.refused[name] = reason
        say(f"refused {name}: {_without_name(reason, name)}")

    def miss(self, name: str, unseen_s: float) -> None:
        """Count an item of which a part could not be looked at, and name it; 0 s are none."""
        if unseen_s > 0:
            self.unseen_s[name] = unseen_s
            say(f"{name}: {unseen_s:.1f} s of it could not be looked at")

    @property
    def exit_code(self) -> int:
        """0 when all is done, 3 when some items were refused."""
        return 3 if self.refused else 0

    def closing_line(self, *, done: str = "done", noun: str = "", note: str = "") -> str:
        """Sum up: ``34 indexed, 3 unchanged, 2 refused (1 empty file, 1 not a video); note``.

        Args:
            done: the participle for the items that were worked on.
            noun: what they are, in the singular, where that needs saying.
            note: what else belongs in the line.
        """
        number = counted(self.num_done, noun) if noun else str(self.num_done)
        counts = [f"{number} {done}".rstrip()]
        if self.num_unchanged:
            counts.append(f"{self.num_unchanged} unchanged")
        if self.unseen_s:
            counts.append(f"{len(self.unseen_s)} not in full")
        if self.refused:
            counts.append(f"{len(self.refused)} refused ({_reasons(self.refused)})")
        return ", ".join(counts) + (f"; {note}" if note else "")


@contextmanager
def progress(title: str, *, total: int) -> Iterator[Progress]:
    """Show a bar on stderr while the block runs, if stderr is a terminal.

    Args:
        title: what is being done.
        total: how many times `Progress.advance` will be called.
    """
    if not sys.stderr.isatty():
        yield _Silence()
        return
    from rich.console import Console
    from rich.progress import BarColumn, MofNCompleteColumn, TextColumn, TimeRemainingColumn
    from rich.progress import Progress as Bar

    columns = (
        TextColumn("{task.description}"),
        BarColumn(),
        MofNCompleteColumn(),
        TimeRemainingColumn(),
        TextColumn("[dim]{task.fields[note]}"),
    )
    with Bar(*columns, console=Console(stderr=True), transient=True) as bar:
        task = bar.add_task(title, total=total, note="")
        yield _Shown(lambda note: bar.update(task, advance=1, note=note))


def counted(number: int, noun: str) -> str:
    """Write ``1 report``, ``2 reports``, ``2 matches``."""
    plural = f"{noun}es" if noun.endswith("ch") else f"{noun}s"
    return f"{number} {noun}" if number == 1 else f"{number} {plural}"


def print_json(document: Mapping[str, Any]) -> None:
    """Print one JSON document to stdout; equal documents print equal bytes."""
    print(json.dumps(document, indent=2, sort_keys=True, ensure_ascii=False, allow_nan=False))


def say(sentence: str) -> None:
    """Tell the person at the terminal something; never data."""
    print(sentence, file=sys.stderr, flush=True)


class _Silence:
    """Progress that nobody watches."""

    def advance(self, note: str = "") -> None: ...


@dataclass(frozen=True, slots=True)
class _Shown:
    """Progress as a bar."""

    step: Callable[[str], None]

    def advance(self, note: str = "") -> None:
        self.step(note)


def _reasons(refused: Mapping[str, str]) -> str:
    """Count equal reasons, most frequent first; the rare ones are summed up."""
    counts = Counter(_kind(reason, name) for name, reason in refused.items())
    if len(counts) == 1:
        return next(iter(counts))
    ranked = sorted(counts.items(), key=lambda entry: (-entry[1], entry[0]))
    shown = [f"{count} {kind}" for kind, count in ranked[:_MAX_REASONS]]
    if len(ranked) > _MAX_REASONS:
        shown.append(f"{sum(count for _, count in ranked[_MAX_REASONS:])} for other reasons")
    return ", ".join(shown)


def _kind(reason: str, name: str) -> str:
    """What reasons of one kind share: what was found, or else the first clause."""
    told = _without_name(reason, name)
    found = re.match(r"wanted .*?, (?:found|got) (.+)", told)
    return re.split(r"[:;,(]", found.group(1) if found else told, maxsplit=1)[0].strip()


def _without_name(reason: str, name: str) -> str:
    """Take the item's own name from the front: ``a/b.mp4: empty file`` -> ``empty file``."""
    front, separator, rest = reason.partition(": ")
    is_name = bool(separator) and (front == name or Path(front).stem == Path(name).stem)
    return rest if is_name else reason
