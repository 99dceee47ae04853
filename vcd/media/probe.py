"""Say what a file is from its first bytes, and which decoder it goes to.

No decoder sees a file before this module has named its container, and then it
is told to read that container and no other: a playlist or a concat script called
``holiday.mp4`` would otherwise make it open *other* local files.
"""

import stat
from dataclasses import dataclass
from fractions import Fraction
from pathlib import Path

from vcd.core import InputError
from vcd.media.orientation import Orientation

__all__ = [
    "Container",
    "StreamFacts",
    "best_decoder",
    "is_cut_short",
    "read_container",
    "read_head",
    "sniff",
]

_HEAD_BYTES = 4096


@dataclass(frozen=True, slots=True, kw_only=True)
class Container:
    """A file format that may be decoded.

    Attributes:
        name: what reports call it.
        demuxer: the libavformat demuxer that may read it; None for still images.
        decord_codecs: what decord is proven right on in it (docs/design/media.md).
        has_true_times: whether its packets carry presentation times; else they are counted.
    """

    name: str
    demuxer: str | None
    decord_codecs: frozenset[str] = frozenset()
    has_true_times: bool = True


@dataclass(frozen=True, slots=True, kw_only=True)
class StreamFacts:
    """What a container says of its best video stream, and what its first frame shows.

    Attributes:
        codec: libavcodec's name.
        coded_size: width and height as stored.
        pixel_aspect: width of a pixel over its height.
        orientation: how the picture is turned for showing.
        nominal_frame_s: length of a frame by the container's rate; a guess for variable rates.
        claimed_duration_s: of the video stream, None when the container does not say.
        rough_duration_s: of the file, an estimate where nothing better is claimed; or None.
        first_pts_s: presentation time of the first shown frame on the container's clock.
        has_edit_list: whether an edit list cuts or moves frames.
    """

    codec: str
    coded_size: tuple[int, int]
    pixel_aspect: Fraction
    orientation: Orientation
    nominal_frame_s: float
    claimed_duration_s: float | None
    rough_duration_s: float | None
    first_pts_s: float | None
    has_edit_list: bool

    def shown_size(self, coded_size: tuple[int, int] | None = None) -> tuple[int, int]:
        """Compute width and height of the picture as shown: square pixels, turned."""
        width_px, height_px = coded_size or self.coded_size
        return self.orientation.size(max(1, round(width_px * self.pixel_aspect)), height_px)


_MODERN = frozenset({"h264", "hevc", "vp8", "vp9"})
_CONTAINERS = {
    container.name: container
    for container in (
        Container(name="mp4", demuxer="mov", decord_codecs=_MODERN),
        Container(name="matroska", demuxer="matroska", decord_codecs=_MODERN),
        Container(name="avi", demuxer="avi", has_true_times=False),
        Container(name="mpegts", demuxer="mpegts"),
        Container(name="mpeg", demuxer="mpeg"),
        Container(name="flv", demuxer="flv"),
        Container(name="asf", demuxer="asf"),
        Container(name="ogg", demuxer="ogg"),
        Container(name="ivf", demuxer="ivf"),
        Container(name="mxf", demuxer="mxf"),
        Container(name="h264", demuxer="h264", has_true_times=False),
        Container(name="hevc", demuxer="hevc", has_true_times=False),
        Container(name="mpegvideo", demuxer="mpegvideo", has_true_times=False),
        Container(name="gif", demuxer="gif"),
        Container(name="apng", demuxer="apng"),
        Container(name="png", demuxer=None),
        Container(name="jpeg", demuxer=None),
        Container(name="webp", demuxer=None),
        Container(name="bmp", demuxer=None),
        Container(name="tiff", demuxer=None),
    )
}

_MAGIC = (
    (b"\x1a\x45\xdf\xa3", "matroska"),
    (b"FLV\x01", "flv"),
    (b"\x30\x26\xb2\x75\x8e\x66\xcf\x11", "asf"),
    (b"OggS", "ogg"),
    (b"DKIF", "ivf"),
    (b"\x06\x0e\x2b\x34", "mxf"),
    (b"GIF87a", "gif"),
    (b"GIF89a", "gif"),
    (b"\xff\xd8\xff", "jpeg"),
    (b"BM", "bmp"),
    (b"II*\x00", "tiff"),
    (b"MM\x00*", "tiff"),
    (b"\x00\x00\x01\xba", "mpeg"),
    (b"\x00\x00\x01\xb3", "mpegvideo"),
)
_RIFF_FORMS = {b"AVI ": "avi", b"WEBP": "webp"}
_MP4_BOXES = (b"ftyp", b"moov", b"mdat", b"wide", b"free", b"skip", b"pnot")
_H264_FIRST_UNITS = (7, 9)
_HEVC_FIRST_UNITS = (32, 35)
_TS_PACKET_BYTES = (188, 192, 204)


def read_container(path: Path) -> Container:
    """Open a file only as far as its first bytes and say which container it is.

    Raises:
        InputError: it is missing, empty, unreadable, or no container that may be decoded.
    """
    head = read_head(path)
    if not head:
        raise InputError(
            f"{path}: wanted a video or image, found an empty file", reason="not_a_video"
        )
    name = sniff(head)
    if name is None:
        found = "text" if _is_text(head) else f"bytes that begin {head[:8].hex(' ')}"
        raise InputError(
            f"{path}: wanted a known video or image container, found {found}", reason="not_a_video"
        )
    return _CONTAINERS[name]


def read_head(path: Path) -> bytes:
    """Read the first bytes of a regular file.

    Raises:
        InputError: it is missing, no regular file, or unreadable.
    """
    try:
        if not stat.S_ISREG(path.stat().st_mode):
            raise InputError(
                f"{path}: wanted a video or image file, found no regular file", reason="unreadable"
            )
        with path.open("rb") as file:
            return file.read(_HEAD_BYTES)
    except OSError as error:
        raise InputError(
            f"{path}: wanted a readable file, got: {error.strerror}", reason="unreadable"
        ) from error


def sniff(head: bytes) -> str | None:
    """Name the container that a file's first bytes belong to; None for all that is not allowed.

    Playlists, manifests, scripts and stream descriptions (HLS, DASH, concat,
    SDP) are text and are never named.
    """
    for magic, name in _MAGIC:
        if head.startswith(magic):
            return name
    if head.startswith(b"RIFF"):
        return _RIFF_FORMS.get(head[8:12])
    if head.startswith(b"\x89PNG\r\n\x1a\n"):
        return "apng" if b"acTL" in head[:_HEAD_BYTES] else "png"
    if head[4:8] in _MP4_BOXES:
        return "mp4"
    return _sniff_stream(head)


def is_cut_short(path: Path, container: Container) -> bool:
    """Say whether a Matroska or AVI file ends before its own header says that it does."""
    head = read_head(path)
    if container.name == "matroska":
        declared = _matroska_bytes(head)
    elif container.name == "avi":
        declared = 8 + int.from_bytes(head[4:8], "little")
    else:
        declared = None
    return declared is not None and declared > path.stat().st_size


def best_decoder(container: Container, facts: StreamFacts, *, head: bytes) -> str:
    """Choose ``decord`` where our conformance test proves it right, else ``pyav``.

    decord chooses its demuxer itself, from the bytes. It gets only files in whose
    first bytes a NUL keeps every text format from being recognized.
    """
    if facts.codec not in container.decord_codecs:
        return "pyav"
    if facts.has_edit_list or facts.orientation.is_mirrored or b"\0" not in head[:64]:
        return "pyav"
    return "decord"


def _matroska_bytes(head: bytes) -> int | None:
    """Return where the segment ends; None for a live recording, which does not say."""
    header_bytes, first = _variable_length(head, 4)
    if header_bytes is None or head[first + header_bytes :][:4] != b"\x18\x53\x80\x67":
        return None
    segment_bytes, first = _variable_length(head, first + header_bytes + 4)
    return None if segment_bytes is None else first + segment_bytes


def _variable_length(head: bytes, first: int) -> tuple[int | None, int]:
    """Read EBML's number of one to eight bytes: the leading zeros of the first tell how many."""
    if first >= len(head) or head[first] == 0:
        return None, first
    num_bytes = 9 - head[first].bit_length()
    value = int.from_bytes(head[first : first + num_bytes], "big")
    value &= (1 << 7 * num_bytes) - 1
    is_unknown = value == (1 << 7 * num_bytes) - 1
    return None if is_unknown else value, first + num_bytes


def _sniff_stream(head: bytes) -> str | None:
    start = 4 if head.startswith(b"\0\0\0\1") else 3 if head.startswith(b"\0\0\1") else None
    if start is not None and len(head) > start and not head[start] & 0x80:
        if head[start] & 0x1F in _H264_FIRST_UNITS and head[start] & 0x60:
            return "h264"
        if head[start] >> 1 in _HEVC_FIRST_UNITS:
            return "hevc"
        return "h264" if head[start] & 0x1F in _H264_FIRST_UNITS else None
    return "mpegts" if _is_transport_stream(head) else None


def _is_transport_stream(head: bytes) -> bool:
    """Look for a sync byte at the start of five packets on end; a cut file may begin inside one."""
    return any(
        all(
            head[offset + step * packet : offset + step * packet + 1] == b"G" for packet in range(5)
        )
        for step in _TS_PACKET_BYTES
        for offset in range(step)
    )


def _is_text(head: bytes) -> bool:
    return b"\0" not in head and all(byte >= 32 or byte in b"\t\r\n\f" for byte in head)
