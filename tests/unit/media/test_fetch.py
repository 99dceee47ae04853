"""Digests of local files."""

import hashlib

import pytest

from vcd.core import InputError
from vcd.media import digest_file


def test_the_digest_is_that_of_the_bytes(tmp_path):
    path = tmp_path / "a.bin"
    path.write_bytes(b"abc" * 100_000)

    assert digest_file(path) == hashlib.sha256(b"abc" * 100_000).hexdigest()


def test_what_is_no_file_is_refused(tmp_path):
    with pytest.raises(InputError, match=r"missing\.mp4: wanted a file, found nothing"):
        digest_file(tmp_path / "missing.mp4")
    with pytest.raises(InputError, match="found a directory"):
        digest_file(tmp_path)


@pytest.mark.parametrize("name", ["a\0b", "a\ud800"], ids=["NUL", "half a surrogate pair"])
def test_what_can_be_no_path_is_no_file(name, tmp_path):
    with pytest.raises(InputError, match="no file has such a path"):
        digest_file(tmp_path / name)
