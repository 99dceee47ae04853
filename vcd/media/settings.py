"""What decoding depends on: which decoder, how many children, and every limit on a hostile file."""

import ipaddress
from dataclasses import dataclass

__all__ = ["FetchSettings", "MediaSettings"]

_MAX_WAIT_S = 86_400.0


@dataclass(frozen=True, slots=True, kw_only=True)
class MediaSettings:
    """How videos are decoded, and how much one video may cost.

    Attributes:
        rate_hz: frames sampled a second; more gives finer bounds and shorter stretches, and costs
            as much more everywhere. An index keeps the rate that it was made with.
        decoder: ``auto`` takes the decoder that is proven right on the file's format (the matrix
            is in docs/design/media.md), ``pyav`` takes PyAV for all of them. There is no setting
            that forces decord onto a format that it decodes wrongly.
        num_children: decoding processes; None takes one for each core, at most 8. More decode
            more videos side by side and cost about 150 MB each.
        threads_per_child: decoding threads of one process; more speed up a single video and slow
            down a folder. 1, because processes times threads should not exceed the cores.
        max_batch_frames: frames handed over at once; more cost memory and save little.
        slot_bytes: size of each of the two shared buffers between a child and its parent; a batch
            fits into one. Only touched pages cost memory. The default holds a frame of 8,192 x
            1,365 px.
        videos_per_child: a child is replaced after so many videos, which bounds what a leak in a
            decoder can add up to; a start costs about 0.3 s.
        max_memory_bytes: what a child may allocate above what it has when it starts. decord takes
            200 MB for 720p and 1.8 GB for 4K when it does not resize (docs/design/media.md).
        max_wall_s: seconds that a video may take, plus ``max_wall_factor`` times what has been
            decoded of it; time in which the caller does not ask for frames does not count.
        max_wall_factor: seconds of work allowed for each second of video.
        max_stall_s: seconds, of wall clock and of CPU, without any progress, after which a child
            counts as hung and is killed.
        max_side_px: pictures wider or higher are refused; 8K video is 7,680.
        max_duration_s: what comes later is reported as ``over_limit``; six hours by default.
        max_source_frames: frames decoded of one video; the rest is ``over_limit``. The default is
            six hours at 120 Hz, rounded up.
    """

    rate_hz: float = 2.0
    decoder: str = "auto"
    num_children: int | None = None
    threads_per_child: int = 1
    max_batch_frames: int = 16
    slot_bytes: int = 32 * 2**20
    videos_per_child: int = 100
    max_memory_bytes: int = 2 * 2**30
    max_wall_s: float = 60.0
    max_wall_factor: float = 2.0
    max_stall_s: float = 60.0
    max_side_px: int = 8192
    max_duration_s: float = 6 * 3600.0
    max_source_frames: int = 3_000_000

    def __post_init__(self) -> None:
        if not 0.0 < self.rate_hz <= 1000.0:
            raise ValueError(f"media.rate_hz must be in (0, 1000], got {self.rate_hz}")
        if self.decoder not in ("auto", "pyav"):
            raise ValueError(f"media.decoder must be auto or pyav, got {self.decoder!r}")
        if self.num_children is not None and self.num_children < 1:
            raise ValueError(f"media.num_children must be at least 1, got {self.num_children}")
        if min(self.max_batch_frames, self.videos_per_child, self.threads_per_child) < 1:
            raise ValueError("media: batches, videos and threads of a child must be at least 1")
        if self.slot_bytes < 2**20:
            raise ValueError(f"media.slot_bytes must be at least 1 MiB, got {self.slot_bytes}")


@dataclass(frozen=True, slots=True, kw_only=True)
class FetchSettings:
    """From where uploads may be fetched, and how large and slow they may be.

    Attributes:
        allowed_prefixes: an upload's uri must lie below one of these: ``https://cdn.example.com/``,
            ``s3://bucket/``, ``file:///srv/uploads/``; none by default, so that nothing is fetched
            until somebody says from where. Names are compared whole: ``.../clips`` does not hold
            ``.../clips2``. Of a store it is the bucket and the folder.
        allowed_networks: networks such as ``10.0.0.0/8`` that http(s) may reach although they are
            private, link-local or loopback; none by default.
        ca_file: certificates, in PEM, that are trusted beside the system's; for servers of one's
            own.
        max_bytes: larger files are refused, as soon as that is known.
        max_wall_s: seconds that fetching one file may take, redirects included.
        connect_timeout_s: seconds that connecting, or waiting for the next bytes, may take.
        max_redirects: redirects that are followed, each checked like the first address.
        folder: where downloads lie while they are looked at; None is a folder of the system's for
            temporary files. It must be this user's own; what a killed process left is removed.
    """

    allowed_prefixes: tuple[str, ...] = ()
    allowed_networks: tuple[str, ...] = ()
    ca_file: str | None = None
    max_bytes: int = 8 * 2**30
    max_wall_s: float = 600.0
    connect_timeout_s: float = 10.0
    max_redirects: int = 3
    folder: str | None = None

    def __post_init__(self) -> None:
        if self.max_bytes < 1 or self.max_redirects < 0:
            raise ValueError("fetch.max_bytes must be at least 1, fetch.max_redirects at least 0")
        for name in ("max_wall_s", "connect_timeout_s"):
            if not 0.0 < getattr(self, name) <= _MAX_WAIT_S:
                raise ValueError(
                    f"fetch.{name} must be in (0, {_MAX_WAIT_S:g}], got {getattr(self, name)}"
                )
        for network in self.allowed_networks:
            try:
                ipaddress.ip_network(network)
            except ValueError as error:
                raise ValueError(f"fetch.allowed_networks: {error}") from None
