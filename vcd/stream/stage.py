"""What the worker is handed to do the work: uploads in, reports out, whenever they are done.

The worker knows nothing of media, descriptors or indexes; the stage knows nothing
of topics and offsets. `pipelines/stream_stage.py` builds the real one.
"""

from concurrent.futures import Future
from typing import Protocol

from vcd.core import MatchReport
from vcd.stream.messages.records import Upload

__all__ = ["Stage"]


class Stage(Protocol):
    """Looks at many uploads at once; one that takes long delays no other."""

    def submit(self, upload: Upload) -> Future[MatchReport]:
        """Start looking at an upload; never blocks.

        The future gives the report, or fails with

        - `InputError`: the upload cannot be looked at, ever (its ``reason`` is the class);
        - `TransientError`: it may work later;
        - `SetupError`: nothing can work: the worker must stop.

        ``Future.cancel()`` abandons it: at once when nothing was begun, else its outcome is
        thrown away as soon as there is one. No future is ever left without an outcome.
        """
        ...

    def close(self) -> None:
        """Abandon everything, end all children; at once."""
        ...
