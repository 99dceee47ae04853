"""Which edit lists of an mp4 change what is shown, on hand-made headers."""

import struct

import pytest

from vcd.media.edit_list import has_effective_edit_list


def _box(kind: bytes, *parts: bytes) -> bytes:
    body = b"".join(parts)
    return struct.pack(">I4s", 8 + len(body), kind) + body


def _movie(edits, *, delay=0, handler=b"vide", media_s=10):
    """Write the header of a movie of so many seconds: a clock of 1,000 ticks, media of 12,800."""
    flags = b"\0" * 4
    entries = b"".join(struct.pack(">Iii", *edit) for edit in edits)
    elst = _box(b"elst", flags, struct.pack(">I", len(edits)), entries)
    ctts = _box(b"ctts", flags, struct.pack(">III", 1, 250, delay))
    mdhd = _box(b"mdhd", flags, struct.pack(">IIII", 0, 0, 12_800, 12_800 * media_s))
    hdlr = _box(b"hdlr", flags, b"\0" * 4, handler, b"\0" * 12)
    media = _box(b"mdia", mdhd, hdlr, _box(b"minf", _box(b"stbl", ctts)))
    track = _box(b"trak", _box(b"edts", elst) if edits else b"", media)
    mvhd = _box(b"mvhd", flags, struct.pack(">IIII", 0, 0, 1000, 1000 * media_s))
    return _box(b"ftyp", b"isom") + _box(b"mdat", b"\0" * 50) + _box(b"moov", mvhd, track)


_ONE = 1 << 16


@pytest.mark.parametrize(
    ("movie", "is_effective"),
    [
        pytest.param(_movie([]), False, id="no list"),
        pytest.param(_movie([(10_000, 0, _ONE)]), False, id="all of it"),
        pytest.param(_movie([(9_920, 1024, _ONE)], delay=1024), False, id="reordering delay"),
        pytest.param(_movie([(500, -1, _ONE), (10_000, 0, _ONE)]), False, id="begins later"),
        pytest.param(_movie([(10_000, 1024, _ONE)]), True, id="beginning cut"),
        pytest.param(_movie([(8_000, 0, _ONE)]), True, id="end cut"),
        pytest.param(_movie([(5_000, 0, _ONE)] * 2), True, id="shown twice"),
        pytest.param(_movie([(5_000, 0, _ONE // 2)]), True, id="another speed"),
        pytest.param(_movie([(8_000, 0, _ONE)], handler=b"soun"), False, id="of the sound only"),
        pytest.param(_box(b"ftyp", b"isom"), True, id="no header to read"),
        pytest.param(_movie([(8_000, 0, _ONE)])[:-250], True, id="cut short"),
    ],
)
def test_a_list_is_effective_when_it_cuts_or_moves(tmp_path, movie, is_effective):
    path = tmp_path / "movie.mp4"
    path.write_bytes(movie)

    assert has_effective_edit_list(path) is is_effective
