"""`vcd submit`: put uploads on a message bus."""

import argparse
import time
import uuid
from collections import deque
from collections.abc import Iterator, Sequence
from concurrent.futures import Future
from dataclasses import dataclass, field
from typing import Any

from pipelines import console
from pipelines.bus import add_log_flag, open_bus, patience_s, require_topics
from pipelines.cli import verb_parser
from pipelines.submissions import (
    Submission,
    allowing_line,
    allowing_prefixes,
    find_submissions,
)
from vcd.core import InputError, TransientError
from vcd.stream.log import Place, Writer
from vcd.stream.messages.envelope import encode_upload
from vcd.stream.messages.records import Upload
from vcd.stream.topics import LANES

__all__ = ["main"]

_ABOUT = """\
Put uploads on a message bus, where workers check them.

  vcd submit uploads/ https://cdn.example.com/a.mp4 --log sqlite:bus.db

PATH is a video, an image, or a folder; the workers must be able to read it under the same name,
and must be allowed to: the setting that allows it is printed. When the command ends, every upload
is durable. Uploads of the backfill lane are checked when those of the live lane leave room."""

_MAX_IN_FLIGHT = 1000
"""Messages that are sent before the first of them is waited for."""


def main(argv: Sequence[str]) -> int:
    """Run the verb; see ``vcd submit --help``."""
    arguments = _parse(argv)
    submissions = find_submissions(arguments.paths)
    topic = LANES[arguments.lane]
    with open_bus(arguments.log, arguments.config) as (log, settings):
        require_topics(log, [topic])
        run = _Submitting(
            topic=topic, collection=arguments.collection, patience_s=patience_s(settings)
        )
        writer = log.writer()
        try:
            with console.progress("submitting", total=len(submissions)) as progress:
                for upload in run.submit(writer, submissions):
                    progress.advance(upload.video_id)
        finally:
            writer.close(run.patience_s)
    prefixes = allowing_prefixes(submissions)
    if arguments.json:
        console.print_json(run.document(prefixes))
    console.say(run.outcome.closing_line(done=f"submitted to {topic}"))
    console.say("a worker may fetch them when it is started with this setting:")
    console.say(allowing_line(prefixes))
    return run.outcome.exit_code


@dataclass(kw_only=True)
class _Submitting:
    """One pass over the submissions.

    Attributes:
        topic: where they go.
        collection: whose they are.
        patience_s: how long to wait for a message to be durable.
        sent: what is durable, and where.
        outcome: counts for the closing line.
    """

    topic: str
    collection: str
    patience_s: float
    sent: list[tuple[Upload, Place]] = field(default_factory=list)
    outcome: console.Outcome = field(default_factory=console.Outcome)

    def submit(self, writer: Writer, submissions: Sequence[Submission]) -> Iterator[Upload]:
        """Send them all; yields each as soon as it is durable."""
        waiting: deque[tuple[Upload, Future[Place]]] = deque()
        for submission in submissions:
            if submission.note:
                console.say(submission.note)
            upload = Upload(
                video_id=submission.id,
                uri=submission.uri,
                collection=self.collection,
                submitted_at_s=time.time(),
                trace_id=uuid.uuid4().hex,
            )
            try:
                value = encode_upload(upload)
            except InputError as error:
                self.outcome.refuse(ascii(upload.video_id)[1:-1], str(error))
                continue
            key = upload.video_id.encode()
            waiting.append((upload, writer.send(self.topic, key=key, value=value)))
            if len(waiting) >= _MAX_IN_FLIGHT:
                yield from self._settle(*waiting.popleft())
        while waiting:
            yield from self._settle(*waiting.popleft())

    def _settle(self, upload: Upload, future: Future[Place]) -> Iterator[Upload]:
        try:
            place = future.result(timeout=self.patience_s)
        except InputError as error:
            self.outcome.refuse(upload.video_id, str(error))
            return
        except (TransientError, TimeoutError) as error:
            why = str(error) or f"not durable after {self.patience_s:g} s"
            raise TransientError(
                f"{upload.video_id}: {why}; {len(self.sent)} before it are submitted"
            ) from error
        self.sent.append((upload, place))
        self.outcome.num_done += 1
        yield upload

    def document(self, prefixes: Sequence[str]) -> dict[str, Any]:
        """List what was done, for ``--json``."""
        return {
            "uploads": [
                {
                    "video_id": upload.video_id,
                    "uri": upload.uri,
                    "trace_id": upload.trace_id,
                    "place": str(place),
                }
                for upload, place in self.sent
            ],
            "refused": [
                {"video_id": name, "reason": reason}
                for name, reason in self.outcome.refused.items()
            ],
            "allowed_prefixes": list(prefixes),
        }


def _parse(argv: Sequence[str]) -> argparse.Namespace:
    parser = verb_parser("submit", _ABOUT)
    parser.add_argument("paths", nargs="+", metavar="PATH", help="videos, folders or uris")
    add_log_flag(parser)
    parser.add_argument("--lane", choices=sorted(LANES), default="live", help="default: live")
    parser.add_argument("--collection", default="", metavar="C", help="whose uploads they are")
    parser.add_argument("--json", action="store_true", help="print what was submitted as JSON")
    return parser.parse_args(argv)
