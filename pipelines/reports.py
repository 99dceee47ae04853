"""`vcd reports`: read what was found from a message bus."""

import argparse
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import TextIO

from pipelines import console
from pipelines.bus import add_log_flag, open_bus, require_topics
from pipelines.cli import EXIT_INTERRUPTED, verb_parser
from pipelines.report_lines import report_sentences
from vcd.core import InputError, SetupError, decode_report, encode_report
from vcd.stream.log import Log, Record
from vcd.stream.messages.readback import ends_of, newest_of_each_key
from vcd.stream.topics import REPORTS

__all__ = ["main"]

_ABOUT = """\
Read what was found from a message bus: the newest report of each upload.

  vcd reports --log sqlite:bus.db
  vcd reports --log sqlite:bus.db --follow --json

--follow goes on with reports as they come, until Ctrl-C."""

_POLL_S = 1.0
_BATCH = 500


def main(argv: Sequence[str]) -> int:
    """Run the verb; see ``vcd reports --help``."""
    arguments = _parse(argv)
    outcome = console.Outcome()
    with (
        open_bus(arguments.log, arguments.config) as (log, _),
        _lines_of(arguments.out) as out,
    ):
        require_topics(log, [REPORTS])
        ends = ends_of(log, REPORTS)
        for record in newest_of_each_key(log, REPORTS, ends):
            _show(record, arguments, out, outcome)
        if arguments.follow:
            return _follow(log, ends, arguments, out, outcome)
    note = "" if outcome.num_done else f"`vcd log info --log {arguments.log}` says what waits"
    console.say(outcome.closing_line(noun="report", done="", note=note))
    return outcome.exit_code


def _parse(argv: Sequence[str]) -> argparse.Namespace:
    parser = verb_parser("reports", _ABOUT)
    add_log_flag(parser)
    parser.add_argument("--follow", action="store_true", help="go on with reports as they come")
    parser.add_argument("--json", action="store_true", help="print one report a line as JSON")
    parser.add_argument("--out", type=Path, metavar="FILE", help="write one report a line as JSON")
    return parser.parse_args(argv)


def _follow(
    log: Log,
    ends: Mapping[int, int],
    arguments: argparse.Namespace,
    out: TextIO | None,
    outcome: console.Outcome,
) -> int:
    """Show reports as they come; to be interrupted is the only way to end it."""
    try:
        for record in _from_then_on(log, ends):
            _show(record, arguments, out, outcome)
    except KeyboardInterrupt:
        console.say(outcome.closing_line(noun="report", done=""))
    return EXIT_INTERRUPTED


def _from_then_on(log: Log, ends: Mapping[int, int]) -> Iterator[Record]:
    """Yield every report behind these offsets, and wait for more, for ever."""
    tail = log.tail(REPORTS, start=ends)
    try:
        while True:
            yield from (r for r in tail.poll(_POLL_S, limit=_BATCH) if r.value is not None)
    finally:
        tail.close()


def _show(
    record: Record, arguments: argparse.Namespace, out: TextIO | None, outcome: console.Outcome
) -> None:
    """Print and write one report as soon as it is there, so that a pipe sees it at once."""
    try:
        report = decode_report(record.value or b"", origin=str(record.place))
    except InputError as error:
        outcome.refuse(str(record.place), str(error))
        return
    line = encode_report(report)
    if out is not None:
        out.write(line + "\n")
        out.flush()
    if arguments.json:
        print(line, flush=True)
    elif out is None:
        print("\n".join(report_sentences(report)), flush=True)
    outcome.num_done += 1


@contextmanager
def _lines_of(path: Path | None) -> Iterator[TextIO | None]:
    if path is None:
        yield None
        return
    try:
        stream = path.open("w", encoding="utf-8")
    except OSError as error:
        raise SetupError(f"{path}: cannot be written: {error.strerror}") from error
    with stream:
        yield stream
