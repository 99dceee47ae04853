"""Send dead letters to where they came from once more."""

from collections.abc import Callable, Iterable, Iterator, Sequence
from concurrent.futures import Future
from itertools import islice

from vcd.core import InputError, TransientError
from vcd.stream.log import Log, Place, Writer
from vcd.stream.messages.dead_letters import DeadLetter, message_again, redriven_marker
from vcd.stream.topics import DEAD_LETTERS

__all__ = ["redrive"]

_BATCH = 32
"""Messages sent before the first is waited for; they are in memory, up to a megabyte each."""


def redrive(
    log: Log,
    letters: Iterable[DeadLetter],
    *,
    patience_s: float,
    on_refused: Callable[[DeadLetter, str], None],
) -> int:
    """Send messages to where they came from once more; returns how many.

    Each is marked as taken care of only when it is durable there: a crash in between can send
    it twice, and never loses it.

    Args:
        log: where they are.
        letters: which ones.
        patience_s: how long to wait for a message to be durable.
        on_refused: told of each that cannot be sent again, with a sentence.

    Raises:
        TransientError: the log does not take one of them now; all that it took are marked.
    """
    writer = log.writer()
    num_sent = 0
    remaining = _whole(letters, on_refused)
    try:
        while batch := list(islice(remaining, _BATCH)):
            num_sent += _redrive_batch(writer, batch, patience_s, on_refused)
    finally:
        writer.close(patience_s)
    return num_sent


def _redrive_batch(
    writer: Writer,
    batch: Sequence[DeadLetter],
    patience_s: float,
    on_refused: Callable[[DeadLetter, str], None],
) -> int:
    sent = [(letter, _send(writer, letter)) for letter in batch]
    trouble: TransientError | None = None
    markers = []
    for letter, future in sent:
        try:
            _wait(future, letter, patience_s)
        except InputError as error:
            on_refused(letter, str(error))
        except TransientError as error:
            trouble = error  # those behind it may be durable: they need their markers first
        else:
            headers = redriven_marker(letter)
            marker = writer.send(DEAD_LETTERS, key=letter.key, value=None, headers=headers)
            markers.append((letter, marker))
    for letter, marker in markers:
        _wait(marker, letter, patience_s)
    if trouble is not None:
        raise trouble
    return len(markers)


def _whole(
    letters: Iterable[DeadLetter], on_refused: Callable[[DeadLetter, str], None]
) -> Iterator[DeadLetter]:
    for letter in letters:
        if letter.num_bytes_left_out:
            left_out = f"{letter.num_bytes_left_out} bytes of it were not kept"
            on_refused(letter, f"{left_out}: submit the video again")
        else:
            yield letter


def _send(writer: Writer, letter: DeadLetter) -> Future[Place]:
    topic, headers = message_again(letter)
    return writer.send(topic, key=letter.key, value=letter.value, headers=headers)


def _wait(future: Future[Place], letter: DeadLetter, patience_s: float) -> None:
    try:
        future.result(timeout=patience_s)
    except TimeoutError as error:
        raise TransientError(
            f"{letter.source}: not durable after {patience_s:g} s; it may be sent twice"
        ) from error
