"""Paths and uris become uploads, and the prefix to allow is told."""

import json
import shlex

import pytest

from pipelines.submissions import allowing_line, allowing_prefixes, find_submissions
from vcd.core import InputError


def _make(folder, *names):
    for name in names:
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_bytes(b"x")


def test_files_are_named_as_check_names_them_and_sent_as_absolute_uris(tmp_path, monkeypatch):
    _make(tmp_path, "up/a/rabbit.mp4", "up/b/rabbit.webm", "up/b/notes.txt", "up/b/rabbit.mp4")
    monkeypatch.chdir(tmp_path)

    found = find_submissions(["up"])

    assert [(each.id, each.uri) for each in found] == [
        ("rabbit", f"file://{tmp_path}/up/a/rabbit.mp4"),
        ("rabbit.mp4", f"file://{tmp_path}/up/b/rabbit.mp4"),
        ("rabbit.webm", f"file://{tmp_path}/up/b/rabbit.webm"),
    ]
    assert found[0].note is None
    assert "called rabbit.mp4" in (found[1].note or "")


def test_a_name_with_blanks_is_a_proper_uri(tmp_path):
    _make(tmp_path, "my film #1.mp4")

    (found,) = find_submissions([str(tmp_path / "my film #1.mp4")])

    assert found.id == "my film #1"
    assert found.uri.endswith("/my%20film%20%231.mp4")


def test_uris_are_passed_through_and_named_by_their_last_part():
    words = [
        "https://cdn.example.com/a/rabbit.mp4?signature=a/b.c",
        "https://cdn.example.com/b/rabbit.mp4",
        "s3://bucket/rabbit.mp4",
        "https://cdn.example.com/a/my%20film.mp4",
    ]

    found = find_submissions(words)

    assert [each.uri for each in found] == words
    assert [each.id for each in found] == [
        "rabbit",
        "rabbit.mp4",
        "s3://bucket/rabbit.mp4",
        "my film",
    ]
    assert "called rabbit.mp4, since rabbit is another one" in (found[1].note or "")


def test_a_uri_that_is_given_twice_is_one_upload():
    assert len(find_submissions(["s3://bucket/a.mp4", "s3://bucket/a.mp4"])) == 1


def test_a_uri_does_not_take_the_name_of_a_file(tmp_path):
    _make(tmp_path, "rabbit.mp4")

    found = find_submissions(["s3://bucket/rabbit.mp4", str(tmp_path)])

    assert {each.uri: each.id for each in found}["s3://bucket/rabbit.mp4"] == "rabbit.mp4"
    assert len({each.id for each in found}) == 2


@pytest.mark.parametrize(
    ("word", "sentence"),
    [
        pytest.param("https://cdn.example.com/", "a uri with the name of a file", id="host"),
        pytest.param("s3://bucket/a/", "a uri with the name of a file", id="folder"),
        pytest.param("https://[::1/a.mp4", "wanted HOST or HOST:PORT", id="torn address"),
        pytest.param("https://me:secret@a.example/a.mp4", "no user name or password", id="secret"),
        pytest.param("/nowhere/a.mp4", "no such file or folder", id="no file"),
        pytest.param("s3:/bucket/a.mp4", "no such file or folder", id="half a uri"),
    ],
)
def test_what_is_neither_is_refused(word, sentence):
    with pytest.raises(InputError, match=sentence):
        find_submissions([word])


def test_the_folders_that_were_given_are_to_be_allowed_and_none_above(tmp_path):
    _make(tmp_path, "up/a/one.mp4", "up/b/two.mp4", "else/three.mp4")
    words = [
        str(tmp_path / "up"),
        str(tmp_path / "up/a/one.mp4"),
        str(tmp_path / "else/three.mp4"),
        "https://cdn.example.com/a/four.mp4?x=1/2",
        "https://cdn.example.com/a/b/five.mp4",
        "s3://bucket/six.mp4",
    ]

    assert allowing_prefixes(find_submissions(words)) == (
        f"file://{tmp_path}/else/",
        f"file://{tmp_path}/up/",
        "https://cdn.example.com/a/",
        "s3://bucket/",
    )


def test_a_neighbour_whose_name_begins_alike_is_not_allowed_with_it(tmp_path):
    _make(tmp_path, "up/one.mp4", "uploads/two.mp4")

    prefixes = allowing_prefixes(find_submissions([str(tmp_path / "up")]))

    assert prefixes == (f"file://{tmp_path}/up/",)
    assert not f"file://{tmp_path}/uploads/two.mp4".startswith(prefixes)


def test_a_link_is_to_be_allowed_where_it_leads(tmp_path):
    _make(tmp_path, "store/one.mp4", "up/two.mp4")
    (tmp_path / "up/one.mp4").symlink_to(tmp_path / "store/one.mp4")

    found = find_submissions([str(tmp_path / "up")])

    assert [each.uri for each in found] == [
        f"file://{tmp_path}/up/one.mp4",
        f"file://{tmp_path}/up/two.mp4",
    ]
    assert allowing_prefixes(found) == (f"file://{tmp_path}/store/", f"file://{tmp_path}/up/")


def test_a_given_link_to_a_folder_is_to_be_allowed_as_one_where_it_leads(tmp_path):
    _make(tmp_path, "store/a/one.mp4", "store/b/two.mp4")
    (tmp_path / "up").symlink_to(tmp_path / "store")

    found = find_submissions([str(tmp_path / "up")])

    assert allowing_prefixes(found) == (f"file://{tmp_path}/store/",)


def test_the_signature_of_a_uri_is_not_printed():
    words = ["s3://b/rabbit.mp4", "https://a.example/x/rabbit.mp4?signature=secret"]

    found = find_submissions([*words, "https://a.example/y/rabbit.mp4?signature=secret"])

    assert found[1].uri == words[1]
    assert "secret" not in "".join(f"{each.id} {each.note}" for each in found)


def test_the_setting_can_be_pasted_into_a_shell():
    prefixes = ("file:///srv/o'neil/", "https://cdn.example.com/$HOME/")

    name, _, value = allowing_line(prefixes).partition("=")

    assert name == "export VCD_FETCH__ALLOWED_PREFIXES"
    assert json.loads(shlex.split(value)[0]) == list(prefixes)
    assert allowing_line(("s3://b/",)) == """export VCD_FETCH__ALLOWED_PREFIXES='["s3://b/"]'"""
