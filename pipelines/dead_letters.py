"""`vcd dead-letters`: list what could not be used, and send it once more."""

import argparse
from collections.abc import Callable, Iterator, Sequence
from datetime import UTC, datetime
from typing import Any

from pipelines import console
from pipelines.bus import add_log_flag, open_bus, patience_s, require_topics
from pipelines.cli import verb_parser
from vcd.stream.log import Log
from vcd.stream.messages.dead_letters import DeadLetter, list_dead_letters
from vcd.stream.messages.redrive import redrive
from vcd.stream.topics import DEAD_LETTERS

__all__ = ["main"]

_ABOUT = """\
List messages that could not be used, and send them once more.

  vcd dead-letters list --log sqlite:bus.db
  vcd dead-letters redrive --log sqlite:bus.db --reason fetch_failed"""

_LIST_ABOUT = """\
List messages that could not be used and were not sent again yet.

ID is a place as this list prints it (vcd.uploads/3@17), or a video id."""

_REDRIVE_ABOUT = """\
Send messages that could not be used to where they came from once more; all of them, or those
that are named. A message that fails again is a new dead letter.

ID is a place as `vcd dead-letters list` prints it (vcd.uploads/3@17), or a video id."""


def main(argv: Sequence[str]) -> int:
    """Run the verb; see ``vcd dead-letters --help``."""
    parser = verb_parser("dead-letters", _ABOUT)
    parser.add_argument("action", choices=sorted(_ACTIONS), help="what to do")
    chosen = parser.parse_args(argv[:1] or ["--help"])
    return _ACTIONS[chosen.action](argv[1:])


def _list(argv: Sequence[str]) -> int:
    arguments = _parse("dead-letters list", _LIST_ABOUT, argv)
    outcome = console.Outcome()
    documents = []
    with open_bus(arguments.log, arguments.config) as (log, _):
        for letter in _chosen(log, arguments, outcome):
            outcome.num_done += 1
            if arguments.json:
                documents.append(_document(letter))
            else:
                print(_sentence(letter))
    if arguments.json:
        console.print_json({"dead_letters": documents})
    console.say(outcome.closing_line(noun="dead letter", done=""))
    return outcome.exit_code


def _redrive(argv: Sequence[str]) -> int:
    arguments = _parse("dead-letters redrive", _REDRIVE_ABOUT, argv)
    outcome = console.Outcome()
    with open_bus(arguments.log, arguments.config) as (log, settings):
        outcome.num_done = redrive(
            log,
            _chosen(log, arguments, outcome),
            patience_s=patience_s(settings),
            on_refused=lambda letter, why: outcome.refuse(str(letter.source), why),
        )
    if arguments.json:
        console.print_json({"num_redriven": outcome.num_done, "refused": outcome.refused})
    console.say(outcome.closing_line(done="sent again"))
    return outcome.exit_code


_ACTIONS: dict[str, Callable[[Sequence[str]], int]] = {"list": _list, "redrive": _redrive}


def _parse(verb: str, about: str, argv: Sequence[str]) -> argparse.Namespace:
    parser = verb_parser(verb, about)
    parser.add_argument("ids", nargs="*", metavar="ID", help="which ones (default: all)")
    add_log_flag(parser)
    parser.add_argument("--reason", metavar="R", help="only those of this class of trouble")
    parser.add_argument("--json", action="store_true", help="print it as JSON")
    return parser.parse_args(argv)


def _chosen(
    log: Log, arguments: argparse.Namespace, outcome: console.Outcome
) -> Iterator[DeadLetter]:
    """Yield those that the command line names; an id that names none is refused at the end."""
    require_topics(log, [DEAD_LETTERS])
    unseen = dict.fromkeys(arguments.ids)
    for letter in list_dead_letters(log):
        names = {str(letter.source), _key(letter)}
        if arguments.reason not in (None, letter.reason):
            continue
        if arguments.ids and names.isdisjoint(arguments.ids):
            continue
        for name in names:
            unseen.pop(name, None)
        yield letter
    for name in unseen:
        outcome.refuse(name, "no dead letter of that name" + _among(arguments.reason))


def _among(reason: str | None) -> str:
    return "" if reason is None else f" with the reason {reason}"


def _key(letter: DeadLetter) -> str:
    return (letter.key or b"").decode(errors="backslashreplace")


def _sentence(letter: DeadLetter) -> str:
    when = datetime.fromtimestamp(letter.dead_at_s, tz=UTC).isoformat(timespec="seconds")
    key = ascii(_key(letter))[1:-1] or "(no key)"
    return f"{letter.source} {key}: {letter.reason} at {when}: {_one_line(letter.error)}"


def _one_line(text: str) -> str:
    return "".join(char if char.isprintable() else " " for char in text)


def _document(letter: DeadLetter) -> dict[str, Any]:
    """Write all that is known of one; its bytes as text where they are text."""
    value = letter.value
    return {
        "source": str(letter.source),
        "key": None if letter.key is None else _key(letter),
        "reason": letter.reason,
        "error": letter.error,
        "attempts": letter.attempts,
        "worker": letter.worker,
        "dead_at_s": letter.dead_at_s,
        "version": letter.version,
        "trace_id": letter.trace_id,
        "num_redrives": letter.num_redrives,
        "num_bytes_left_out": letter.num_bytes_left_out,
        "value": None if value is None else value.decode(errors="backslashreplace"),
    }
