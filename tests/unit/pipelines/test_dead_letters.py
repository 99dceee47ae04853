"""What `vcd dead-letters` says, on a bus in memory."""

import json

import pytest

from pipelines import dead_letters
from vcd.core import InputError
from vcd.stream.log import Partition, Place, Record
from vcd.stream.messages.dead_letters import dead_letter_of
from vcd.stream.topics import DEAD_LETTERS, UPLOADS

_AT = ["--log", "sqlite:memory"]


def _say(ready, topic, key, value, headers=()):
    writer = ready.writer()
    writer.send(topic, key=key, value=value, headers=headers)
    writer.close(1.0)


def _bury(ready, key, *, offset=0, reason="not_json", value=b"{"):
    place = Place(Partition(UPLOADS, 1), offset)
    record = Record(place=place, key=key, value=value)
    error = InputError(f"{place}: wanted JSON", reason=reason)
    key, value, headers = dead_letter_of(record, error, attempts=1, worker="w", now_s=1.75e9)
    _say(ready, DEAD_LETTERS, key, value, headers)


def test_dead_letters_are_listed_with_their_place_and_reason(ready, capsys):
    _bury(ready, b"rab\nbit", offset=7)
    _bury(ready, None, offset=8, reason="no_key")

    assert dead_letters.main(["list", *_AT]) == 0

    out, err = capsys.readouterr()
    assert out.splitlines() == [
        "vcd.uploads/1@7 rab\\nbit: not_json at 2025-06-15T15:06:40+00:00: "
        "vcd.uploads/1@7: wanted JSON",
        "vcd.uploads/1@8 (no key): no_key at 2025-06-15T15:06:40+00:00: "
        "vcd.uploads/1@8: wanted JSON",
    ]
    assert err == "2 dead letters\n"


def test_dead_letters_as_json_say_all(ready, capsys):
    _bury(ready, b"rabbit", offset=7, value=b"\xff{")

    assert dead_letters.main(["list", *_AT, "--json"]) == 0

    (letter,) = json.loads(capsys.readouterr().out)["dead_letters"]
    assert (letter["source"], letter["key"], letter["value"]) == (
        "vcd.uploads/1@7",
        "rabbit",
        "\\xff{",
    )


@pytest.mark.parametrize(
    ("words", "offsets"),
    [
        pytest.param([], [1, 2, 3], id="all"),
        pytest.param(["vcd.uploads/1@2"], [2], id="a place"),
        pytest.param(["hare"], [3], id="a video id"),
        pytest.param(["--reason", "not_json"], [1, 3], id="a reason"),
        pytest.param(["rabbit", "--reason", "no_value"], [2], id="a video and a reason"),
    ],
)
def test_redrive_sends_those_that_were_named(ready, words, offsets, capsys):
    _bury(ready, b"rabbit", offset=1)
    _bury(ready, b"rabbit", offset=2, reason="no_value")
    _bury(ready, b"hare", offset=3)
    dead_letters.main(["list", *_AT, "--json", *words])
    listed = json.loads(capsys.readouterr().out)["dead_letters"]

    assert dead_letters.main(["redrive", *_AT, *words]) == 0

    assert [letter["source"] for letter in listed] == [f"vcd.uploads/1@{n}" for n in offsets]
    assert len(ready.all_of(UPLOADS)) == len(offsets)
    assert capsys.readouterr().err == f"{len(offsets)} sent again\n"
    assert dead_letters.main(["list", *_AT]) == 0
    assert len(capsys.readouterr().out.splitlines()) == 3 - len(offsets)


def test_an_id_that_names_no_dead_letter_is_refused(ready, capsys):
    _bury(ready, b"rabbit", offset=1)

    code = dead_letters.main(["redrive", "hase", *_AT, "--reason", "not_json"])

    assert code == 3
    err = capsys.readouterr().err
    assert "refused hase: no dead letter of that name with the reason not_json" in err
    assert ready.all_of(UPLOADS) == []


def test_a_message_that_was_not_kept_whole_is_refused_by_redrive(ready, capsys):
    _bury(ready, b"rabbit", offset=1, value=b"x" * 1_000_000)

    assert dead_letters.main(["redrive", *_AT]) == 3

    assert "bytes of it were not kept: submit the video again" in capsys.readouterr().err
