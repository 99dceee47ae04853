"""Fetch some descriptor files at a time, so that one that hangs holds up no other."""

import threading
from concurrent.futures import FIRST_COMPLETED, Future, wait

from vcd.core import Descriptors, TransientError, VcdError
from vcd.stream.references.descriptor_store import DescriptorStore
from vcd.stream.references.pending import PendingChange

__all__ = ["Fetches"]

_MAX_FETCHES = 8
"""A file more is a thread more and, while it waits to be applied, its descriptors in memory."""


class Fetches:
    """The fetches that are under way, each in a thread that no exit waits for.

    Args:
        store: where the files are.
    """

    def __init__(self, store: DescriptorStore) -> None:
        self._store = store
        self._running: dict[Future[Descriptors], PendingChange] = {}

    def __len__(self) -> int:
        return len(self._running)

    @property
    def num_free(self) -> int:
        """How many more can be started."""
        return _MAX_FETCHES - len(self._running)

    def start(self, change: PendingChange) -> None:
        """Begin to fetch what a change announces."""
        result: Future[Descriptors] = Future()
        self._running[result] = change
        name = f"fetch-{change.change.descriptors.sha256[:8]}"
        threading.Thread(target=self._fetch, args=(change, result), name=name, daemon=True).start()

    def take_finished(self, timeout_s: float) -> list[tuple[PendingChange, Future[Descriptors]]]:
        """Wait until one is finished, and take all that are."""
        done, _ = wait(self._running, timeout=timeout_s, return_when=FIRST_COMPLETED)
        return [(self._running.pop(result), result) for result in done]

    def _fetch(self, change: PendingChange, result: "Future[Descriptors]") -> None:
        video_id = change.change.video.id
        try:
            found = self._store.fetch(change.change.descriptors, video_id=video_id)
            result.set_result(found)
        except VcdError as error:
            result.set_exception(error)
        finally:
            if not result.done():
                trouble = TransientError(
                    f"{video_id}: fetching its descriptors broke off",
                    reason="descriptor_store_unreachable",
                )
                result.set_exception(trouble)
