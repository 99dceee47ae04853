"""`vcd worker`: check the uploads of a message bus as they come, until told to stop."""

import argparse
import contextlib
import logging
import os
import signal
import socket
import sys
import time
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import Future
from functools import partial
from pathlib import Path
from types import FrameType

from pipelines.bus import add_log_flag, open_bus, require_topics
from pipelines.cli import EXIT_DONE, EXIT_INTERRUPTED, verb_parser
from pipelines.log_lines import log_to_stderr
from pipelines.matching import Matcher, open_matcher
from pipelines.stream_stage import open_stage
from vcd.config import Settings, load_settings
from vcd.core import InputError, VcdError
from vcd.media import Fetcher
from vcd.search import is_index, read_info
from vcd.stream.health import HealthServer
from vcd.stream.log import Log, Place, Record, Writer
from vcd.stream.messages.dead_letters import dead_letter_of
from vcd.stream.metrics import StreamMetrics
from vcd.stream.references.descriptor_store import DescriptorStore, store_location
from vcd.stream.references.index import IndexTerms
from vcd.stream.references.view import ReferenceView
from vcd.stream.topics import BACKFILL, DEAD_LETTERS, REFERENCES, REPORTS, UPLOADS
from vcd.stream.worker.worker import Worker

__all__ = ["main"]

_ABOUT = """\
Check the uploads of a message bus as they come, until told to stop (SIGTERM, Ctrl-C).

  vcd worker --log sqlite:bus.db --index worker-1.index

An upload is done when its report, or its dead letter, is durable; a worker that dies loses none.
Nothing is fetched but from where fetch.allowed_prefixes says: `vcd submit` prints what to set.
One worker uses a whole machine or GPU; each needs an index folder of its own."""

_TOPICS = (UPLOADS, BACKFILL, REFERENCES, REPORTS, DEAD_LETTERS)
_CLOSE_S = 5.0

_logger = logging.getLogger(__name__)


def main(argv: Sequence[str]) -> int:
    """Run the verb; see ``vcd worker --help``."""
    arguments = _parse(argv)
    log_to_stderr(as_json=not sys.stderr.isatty())
    with _Signals() as signals:
        try:
            with open_bus(arguments.log, arguments.config) as (log, _):
                require_topics(log, _TOPICS)
                _work(arguments, log, signals)
        except KeyboardInterrupt:
            if not signals.wants_end:
                raise
    return EXIT_INTERRUPTED if signals.last == signal.SIGINT else EXIT_DONE


def _work(arguments: argparse.Namespace, log: Log, signals: "_Signals") -> None:
    """Put a worker together from the bottom up, and let it run."""
    overrides = _overrides(arguments)
    settings = load_settings(arguments.config, overrides)
    if not settings.fetch.allowed_prefixes:
        _logger.warning(
            "fetch.allowed_prefixes is empty: every upload will be refused as not_allowed; "
            "`vcd submit` prints what to set"
        )
    metrics = StreamMetrics()
    name = f"{socket.gethostname()}-{os.getpid()}"
    with contextlib.ExitStack() as stack:
        matcher = stack.enter_context(open_matcher(arguments.config, overrides))
        refuse = stack.enter_context(_refusing(log, name))
        view = stack.enter_context(_open_view(arguments, log, matcher, refuse))
        metrics.index_age(view.age_s)
        metrics.before_each_scrape(partial(_tell_index, view, metrics))
        health = _Health(view, settings)
        if settings.stream.metrics_address is not None:
            address = settings.stream.metrics_address
            stack.enter_context(
                HealthServer(address, metrics, is_live=health.is_live, is_ready=health.is_ready)
            )
        while not view.wait_until_caught_up(1.0):
            pass
        refs = view.current()
        _logger.info("references in effect: %d, index version %s", len(refs.ref_ids), refs.version)
        fetcher = stack.enter_context(Fetcher(settings.fetch))
        stage = stack.enter_context(
            open_stage(matcher.detector, settings, current_index=view.current, fetcher=fetcher)
        )
        worker = Worker(log, stage, settings.stream, metrics=metrics, name=name)
        worker.also_needs(view.check)
        worker.also_needs(stage.check)
        health.worker = worker
        signals.on_end(worker.stop)
        worker.run()


def _overrides(arguments: argparse.Namespace) -> dict[str, object]:
    """An index that is there already decides on weights and rate; the flags on the rest."""
    overrides: dict[str, object] = {
        "align.min_score": arguments.min_score,
        "describe.weights": arguments.weights,
        "media.rate_hz": arguments.fps,
        "stream.descriptor_store": arguments.store,
        "stream.metrics_address": arguments.metrics,
    }
    if is_index(arguments.index):
        info = read_info(arguments.index)
        overrides |= {"describe.weights": info.weights, "media.rate_hz": info.rate_hz}
    return overrides


@contextlib.contextmanager
def _open_view(
    arguments: argparse.Namespace,
    log: Log,
    matcher: Matcher,
    refuse: Callable[[Record, InputError], "Future[Place]"],
) -> Iterator[ReferenceView]:
    settings = matcher.settings
    terms = IndexTerms(
        space=matcher.detector.describer.space,
        rate_hz=settings.media.rate_hz,
        weights=settings.describe.weights,
        derivation=matcher.derivation,
    )
    store = DescriptorStore(store_location(settings.stream.descriptor_store, log.address))
    with ReferenceView(
        log,
        arguments.index,
        terms,
        search=settings.search,
        store=store,
        refuse=refuse,
    ) as view:
        yield view


@contextlib.contextmanager
def _refusing(log: Log, name: str) -> Iterator[Callable[[Record, InputError], "Future[Place]"]]:
    """Lend a way to send the dead letter of a reference message."""
    writer: Writer = log.writer()

    def refuse(record: Record, error: InputError) -> "Future[Place]":
        key, value, headers = dead_letter_of(
            record, error, attempts=1, worker=name, now_s=time.time()
        )
        return writer.send(DEAD_LETTERS, key=key, value=value, headers=headers)

    try:
        yield refuse
    finally:
        writer.close(_CLOSE_S)


def _tell_index(view: ReferenceView, metrics: StreamMetrics) -> None:
    with contextlib.suppress(VcdError):  # there is none yet, or no more
        index = view.current()
        metrics.index_state(len(index.ref_ids), index.version, view.offset, view.num_pending)


class _Health:
    """What /livez and /readyz say."""

    def __init__(self, view: ReferenceView, settings: Settings) -> None:
        self._view = view
        self._max_silence_s = settings.stream.max_silence_s
        self.worker: Worker | None = None

    def is_live(self) -> str | None:
        if self.worker is None:
            return None
        silent_s = time.monotonic() - self.worker.last_tick_s
        is_stuck = silent_s > self._max_silence_s
        return f"the main loop is silent for {silent_s:.0f} s" if is_stuck else None

    def is_ready(self) -> str | None:
        try:
            self._view.current()
        except VcdError as error:
            return str(error)
        if self.worker is None:
            return "the worker is starting"
        if self.worker.is_leaving:
            return "the worker is leaving"
        blocked = self.worker.blocked
        return "; ".join(f"{partition}: {why}" for partition, why in blocked.items()) or None


class _Signals:
    """Turns SIGTERM and Ctrl-C into a wish to end; before there is a worker, they end at once."""

    def __init__(self) -> None:
        self.last: int | None = None
        self._stop: Callable[[], None] | None = None

    @property
    def wants_end(self) -> bool:
        return self.last is not None

    def on_end(self, stop: Callable[[], None]) -> None:
        self._stop = stop
        if self.wants_end:  # what was raised then came to nothing, as in a finalizer
            stop()

    def __enter__(self) -> "_Signals":
        self._before = {
            number: signal.signal(number, self._hear) for number in (signal.SIGTERM, signal.SIGINT)
        }
        return self

    def __exit__(self, *_: object) -> None:
        for number, handler in self._before.items():
            signal.signal(number, handler)

    def _hear(self, number: int, _frame: FrameType | None) -> None:
        self.last = number
        if self._stop is None:
            raise KeyboardInterrupt
        self._stop()


def _parse(argv: Sequence[str]) -> argparse.Namespace:
    parser = verb_parser("worker", _ABOUT)
    add_log_flag(parser)
    parser.add_argument(
        "--index", required=True, type=Path, metavar="DIR", help="the references, this worker's own"
    )
    parser.add_argument("--weights", metavar="W", help="of a new index: name or file")
    parser.add_argument("--fps", type=float, metavar="F", help="of a new index: frames a second")
    parser.add_argument("--store", metavar="S", help="folder or address of the descriptor files")
    parser.add_argument("--min-score", type=float, metavar="S", help="report matches from here on")
    parser.add_argument("--metrics", metavar="HOST:PORT", help="serve /metrics, /livez, /readyz")
    return parser.parse_args(argv)
