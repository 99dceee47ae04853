"""What is said on the bus, as records; `envelope.py` turns them into bytes and back."""

import math
from dataclasses import dataclass

from vcd.core import DescriptorSpace, Interval, Video

__all__ = ["DescriptorFile", "ReferenceChange", "Upload"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Upload:
    """A video to be checked.

    Attributes:
        video_id: what the producer calls it; the key of its message and of its report.
        uri: where it can be fetched: ``https:``, ``s3:``, ``file:`` or a local path.
        collection: whose upload it is; handed through, "" when nobody said.
        submitted_at_s: when the producer sent it, seconds since 1970.
        trace_id: ties the lines of all logs about it together.
    """

    video_id: str
    uri: str
    collection: str = ""
    submitted_at_s: float
    trace_id: str = ""

    def __post_init__(self) -> None:
        if not self.video_id:
            raise ValueError("an upload needs a video id")
        if not self.uri:
            raise ValueError(f"{self.video_id}: an upload needs a uri")
        if not (math.isfinite(self.submitted_at_s) and self.submitted_at_s >= 0):
            raise ValueError(f"{self.video_id}: submitted_at_s is {self.submitted_at_s}")


@dataclass(frozen=True, slots=True, kw_only=True)
class DescriptorFile:
    """A file of descriptors in a store, named by its digest.

    Attributes:
        uri: where it is.
        sha256: of its bytes.
        num_bytes: its size.
    """

    uri: str
    sha256: str
    num_bytes: int


@dataclass(frozen=True, slots=True, kw_only=True)
class ReferenceChange:
    """A reference that was added or replaced; a removal is a tombstone under its id.

    Attributes:
        video: id (the key of the message), where it came from, digest, length, size.
        descriptors: the file that holds them, exactly those of this reference.
        space: what they may be compared with.
        rate_hz: frames a second that they were sampled at.
        excluded: stretches that must never match.
        collection: whose reference it is; handed through.
        trace_id: ties the lines of all logs about it together.
    """

    video: Video
    descriptors: DescriptorFile
    space: DescriptorSpace
    rate_hz: float
    excluded: tuple[Interval, ...] = ()
    collection: str = ""
    trace_id: str = ""
