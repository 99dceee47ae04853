"""One worker, and laps of uploads that it is sent through."""

import time
from collections.abc import Sequence
from dataclasses import dataclass, field

from tests.chaos.fleet import Fleet, wait_for
from tests.chaos.gauge import Peak, Resident, cpu_s, others_cpu_s, resident_at_rest
from tests.chaos.hostile_account import Sent
from tests.chaos.storm import is_done
from vcd.stream.log import Log, Place
from vcd.stream.messages.envelope import encode_upload
from vcd.stream.messages.records import Upload
from vcd.stream.topics import UPLOADS

__all__ = ["Lap", "Track"]

_IDLE_S = 5.0
_LOOK_EVERY_S = 0.4
_MIN_PATIENCE_S = 120.0
_PATIENCE_S = 1.0
"""For each upload; a slow machine needs a tenth of it."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Lap:
    """What was measured of one lap; the account knows when its last report was written.

    Attributes:
        num_good: uploads.
        began_s: seconds since 1970.
        settled_s: how long until every upload was done, the bad ones too.
        cpu_s: processor seconds of the worker and its children, without what it uses when idle.
        others_cpu: cores that were kept busy by what this trial did not start.
        peak_bytes: of memory, at any time of the lap.
        at_rest: memory after it.
    """

    num_good: int
    began_s: float
    settled_s: float
    cpu_s: float
    others_cpu: float
    peak_bytes: int
    at_rest: Resident


@dataclass(kw_only=True)
class Track:
    """A log, its one worker, and what was sent so far."""

    log: Log
    group: str
    fleet: Fleet
    sent: dict[Place, Sent] = field(default_factory=dict)

    @property
    def pid(self) -> int:
        return self.fleet.workers[0].pid

    def lap(self, uploads: Sequence[Sent], *, idle_cpu: float) -> Lap:
        """Send uploads, and wait until all that can be said of them is said.

        Args:
            uploads: in this order.
            idle_cpu: processor seconds a second of the worker when it has nothing to do.
        """
        used_s, others_s = cpu_s(self.pid), others_cpu_s()
        began_s = time.time()
        with Peak(self.pid) as peak:
            self._send(uploads)
            patience_s = _MIN_PATIENCE_S + _PATIENCE_S * len(uploads)
            wait_for(self._is_over, timeout_s=patience_s, what="every upload done")
        settled_s = time.time() - began_s
        used_s, others_s = cpu_s(self.pid) - used_s, others_cpu_s() - others_s
        return Lap(
            num_good=sum(each.bad is None for each in uploads),
            began_s=began_s,
            settled_s=settled_s,
            cpu_s=used_s - idle_cpu * settled_s,
            others_cpu=others_s / settled_s,
            peak_bytes=peak.total_bytes,
            at_rest=resident_at_rest(self.pid),
        )

    def idle_cpu(self) -> float:
        before_s = cpu_s(self.pid)
        time.sleep(_IDLE_S)
        return (cpu_s(self.pid) - before_s) / _IDLE_S

    def _send(self, uploads: Sequence[Sent]) -> None:
        writer = self.log.writer()
        futures = []
        for each in uploads:
            message = Upload(
                video_id=each.video_id,
                uri=each.path.as_uri(),
                submitted_at_s=time.time(),
                trace_id=f"trial-{each.video_id}",
            )
            key = each.video_id.encode()
            futures.append(writer.send(UPLOADS, key=key, value=encode_upload(message)))
        for each, future in zip(uploads, futures, strict=True):
            self.sent[future.result(timeout=120)] = each
        writer.close(30.0)

    def _is_over(self) -> bool:
        time.sleep(_LOOK_EVERY_S)
        code = self.fleet.workers[0].poll()
        if code is not None:
            said = (self.fleet.folder / "worker0.log").read_text(errors="replace")[-2000:]
            raise RuntimeError(f"the worker ended with exit code {code}: {said}")
        return is_done(self.log, self.group)
