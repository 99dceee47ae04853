"""`vcd log`: make the topics of a message bus, and say where they stand."""

import time
from collections.abc import Callable, Sequence
from typing import Any

from pipelines import console
from pipelines.bus import add_log_flag, open_bus, require_topics
from pipelines.cli import EXIT_DONE, verb_parser
from vcd.core import TransientError
from vcd.stream.log import Log, Offsets
from vcd.stream.topics import LANES, topic_specs

__all__ = ["main"]

_ABOUT = """\
Make the topics of a message bus, and say where they stand.

  vcd log create --log sqlite:bus.db
  vcd log info --log sqlite:bus.db"""

_CREATE_ABOUT = """\
Make the topics that are missing. Those that are there stay as they are, also when they have
another number of partitions: a key would change its partition."""

_INFO_ABOUT = """\
List the topics, and of those that workers share every partition that is behind: where it ends,
up to where the group has committed, and how many messages lie between. --json lists all."""

_DEFAULT_PARTITIONS = 8
"""Room for two workers at four partitions each, which is what one machine runs."""

_PATIENCE_S = 10.0
_PAUSE_S = 0.5


def main(argv: Sequence[str]) -> int:
    """Run the verb; see ``vcd log --help``."""
    parser = verb_parser("log", _ABOUT)
    parser.add_argument("action", choices=sorted(_ACTIONS), help="what to do")
    chosen = parser.parse_args(argv[:1] or ["--help"])
    return _ACTIONS[chosen.action](argv[1:])


def _create(argv: Sequence[str]) -> int:
    parser = verb_parser("log create", _CREATE_ABOUT)
    add_log_flag(parser)
    parser.add_argument(
        "--partitions",
        type=int,
        default=_DEFAULT_PARTITIONS,
        metavar="N",
        help=f"at least four for each worker that may run (default {_DEFAULT_PARTITIONS})",
    )
    arguments = parser.parse_args(argv)
    if arguments.partitions < 1:
        parser.error(f"--partitions wants a number from 1 on, got {arguments.partitions}")
    outcome = console.Outcome()
    with open_bus(arguments.log, arguments.config) as (log, _):
        specs = topic_specs(arguments.partitions)
        made = log.create_topics(specs)
        there = log.topics()
        for spec in specs:
            num_partitions = there.get(spec.name, spec.num_partitions)
            if spec.name in made:
                outcome.num_done += 1
                print(f"{spec.name}: made, {console.counted(num_partitions, 'partition')}")
            elif num_partitions == spec.num_partitions:
                outcome.num_unchanged += 1
            else:
                outcome.refuse(
                    spec.name,
                    f"wanted {console.counted(spec.num_partitions, 'partition')}, "
                    f"found {num_partitions} from before: they stay",
                )
    console.say(outcome.closing_line(noun="topic", done="made"))
    return outcome.exit_code


def _info(argv: Sequence[str]) -> int:
    parser = verb_parser("log info", _INFO_ABOUT)
    add_log_flag(parser)
    parser.add_argument("--group", metavar="G", help="of workers (default: stream.group)")
    parser.add_argument("--json", action="store_true", help="print it as JSON")
    arguments = parser.parse_args(argv)
    with open_bus(arguments.log, arguments.config) as (log, settings):
        names = [spec.name for spec in topic_specs(1)]
        require_topics(log, names)
        group = arguments.group or settings.stream.group
        document = {
            "log": log.address,
            "group": group,
            "topics": [_topic(log, name, group) for name in names],
        }
    if arguments.json:
        console.print_json(document)
    else:
        _print_topics(document)
    return EXIT_DONE


_ACTIONS: dict[str, Callable[[Sequence[str]], int]] = {"create": _create, "info": _info}


def _topic(log: Log, name: str, group: str) -> dict[str, Any]:
    """List the partitions of a topic; only lanes are shared by a group and can lag."""
    offsets = _offsets(log, group, name)
    is_shared = name in LANES.values()
    partitions = []
    for index, end in sorted(offsets.ends.items()):
        committed = offsets.committed.get(index)
        partition: dict[str, Any] = {"partition": index, "end": end}
        if is_shared:
            partition |= {"committed": committed, "lag": end - (committed or 0)}
        partitions.append(partition)
    return {"topic": name, "partitions": partitions}


def _offsets(log: Log, group: str, name: str) -> Offsets:
    """Ask until there is an answer: a new cluster knows nothing of groups in its first seconds."""
    deadline_s = time.monotonic() + _PATIENCE_S
    while True:
        try:
            return log.offsets(group, name)
        except TransientError:
            if time.monotonic() > deadline_s:
                raise
            time.sleep(_PAUSE_S)


def _print_topics(document: dict[str, Any]) -> None:
    total = 0
    for topic in document["topics"]:
        partitions = topic["partitions"]
        num_written = sum(partition["end"] for partition in partitions)
        line = f"{topic['topic']}: {console.counted(len(partitions), 'partition')}"
        line += f", {num_written} written"
        if topic["topic"] in LANES.values():
            lag = sum(partition["lag"] for partition in partitions)
            line += f", {lag} to go"
            total += lag
        print(line)
        for partition in partitions:
            if partition.get("lag"):
                print(f"  {topic['topic']}/{partition['partition']}: {_standing(partition)}")
    console.say(f"group {document['group']}: {console.counted(total, 'message')} to go")


def _standing(partition: dict[str, Any]) -> str:
    committed = partition["committed"]
    until = "nothing committed" if committed is None else f"committed {committed}"
    return f"end {partition['end']}, {until}, lag {partition['lag']}"
