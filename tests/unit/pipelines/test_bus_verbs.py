"""What the verbs of the bus say, on a bus in memory."""

import json

import pytest

from pipelines import dead_letters, log, reports, submit
from tests.factories import make_match, make_report
from vcd.core import InputError, SetupError, TransientError, encode_report
from vcd.stream.messages.envelope import decode_upload
from vcd.stream.topics import BACKFILL, REPORTS, UPLOADS, topic_specs

_AT = ["--log", "sqlite:memory"]


@pytest.fixture
def uploads(tmp_path):
    for name in ("hare.mp4", "rabbit.mp4"):
        (tmp_path / name).write_bytes(b"x")
    return tmp_path


def _say(ready, topic, key, value, headers=()):
    writer = ready.writer()
    writer.send(topic, key=key, value=value, headers=headers)
    writer.close(1.0)


def _report(ready, query_id, **changes):
    report = make_report(query_id=query_id, **changes)
    _say(ready, REPORTS, query_id.encode(), encode_report(report).encode())


def test_create_makes_every_topic_once(memory, capsys):
    assert log.main(["create", *_AT, "--partitions", "3"]) == 0
    assert memory.topics()[UPLOADS] == 3
    assert log.main(["create", *_AT, "--partitions", "3"]) == 0

    out, err = capsys.readouterr()
    assert out.splitlines()[0] == "vcd.uploads: made, 3 partitions"
    assert err.splitlines() == ["5 topics made", "0 topics made, 5 unchanged"]


def test_create_names_topics_that_have_another_number_of_partitions(ready, capsys):
    assert log.main(["create", *_AT, "--partitions", "6"]) == 3

    err = capsys.readouterr().err
    assert "refused vcd.uploads: wanted 6 partitions, found 4 from before: they stay" in err


def test_create_wants_a_partition(capsys):
    with pytest.raises(SystemExit) as stop:
        log.main(["create", *_AT, "--partitions", "0"])

    assert stop.value.code == 2
    assert "--partitions wants a number from 1 on, got 0" in capsys.readouterr().err


def test_info_says_how_much_is_to_be_done(ready, capsys):
    for key in (b"\x00", b"\x04", b"\x01"):
        _say(ready, UPLOADS, key, b"x")

    assert log.main(["info", *_AT]) == 0

    out, err = capsys.readouterr()
    assert out.splitlines() == [
        "vcd.uploads: 4 partitions, 3 written, 2 to go",
        "  vcd.uploads/0: end 2, committed 1, lag 1",
        "  vcd.uploads/1: end 1, nothing committed, lag 1",
        "vcd.backfill: 4 partitions, 0 written, 0 to go",
        "vcd.references: 1 partition, 0 written",
        "vcd.reports: 4 partitions, 0 written",
        "vcd.dead-letters: 1 partition, 0 written",
    ]
    assert err == "group vcd: 2 messages to go\n"


def _answers_after(ready, num_failures):
    answer = ready.offsets
    failures = [TransientError("no coordinator yet")] * num_failures

    def offsets(group, topic):
        if failures:
            raise failures.pop()
        return answer(group, topic)

    return offsets


def test_info_waits_for_a_cluster_that_was_only_just_made(ready, monkeypatch):
    monkeypatch.setattr(ready, "offsets", _answers_after(ready, 2))
    monkeypatch.setattr(log, "_PAUSE_S", 0.0)

    assert log.main(["info", *_AT]) == 0


def test_info_gives_up_on_a_cluster_that_does_not_answer(ready, monkeypatch):
    monkeypatch.setattr(ready, "offsets", _answers_after(ready, 1000))
    monkeypatch.setattr(log, "_PATIENCE_S", 0.0)
    monkeypatch.setattr(log, "_PAUSE_S", 0.0)

    with pytest.raises(TransientError, match="no coordinator yet"):
        log.main(["info", *_AT])


def test_info_as_json_has_every_partition(ready, capsys):
    assert log.main(["info", *_AT, "--json", "--group", "mine"]) == 0

    document = json.loads(capsys.readouterr().out)
    assert document["group"] == "mine"
    assert [topic["topic"] for topic in document["topics"]] == [s.name for s in topic_specs(1)]
    assert document["topics"][0]["partitions"][3] == {
        "partition": 3,
        "end": 0,
        "committed": None,
        "lag": 0,
    }


@pytest.mark.parametrize(
    "command",
    [
        pytest.param((log, ["info"]), id="log info"),
        pytest.param((submit, ["s3://bucket/a.mp4"]), id="submit"),
        pytest.param((reports, []), id="reports"),
        pytest.param((dead_letters, ["list"]), id="dead-letters list"),
        pytest.param((dead_letters, ["redrive"]), id="dead-letters redrive"),
    ],
)
def test_a_missing_topic_is_a_sentence_that_says_what_to_do(memory, command):
    verb, words = command

    with pytest.raises(SetupError, match="found none; `vcd log create --log sqlite:memory` makes"):
        verb.main([*words, *_AT])


def test_submit_sends_what_workers_read(ready, uploads, capsys):
    assert submit.main([str(uploads), *_AT, "--collection", "films"]) == 0

    sent = [decode_upload(record, max_bytes=65_536) for record in ready.all_of(UPLOADS)]
    assert sorted((upload.video_id, upload.uri, upload.collection) for upload in sent) == [
        ("hare", f"file://{uploads}/hare.mp4", "films"),
        ("rabbit", f"file://{uploads}/rabbit.mp4", "films"),
    ]
    assert len({upload.trace_id for upload in sent}) == 2
    out, err = capsys.readouterr()
    assert out == ""
    assert err.splitlines() == [
        "2 submitted to vcd.uploads",
        "a worker may fetch them when it is started with this setting:",
        f"export VCD_FETCH__ALLOWED_PREFIXES='[\"file://{uploads}/\"]'",
    ]


def test_submit_to_backfill_says_where_each_went(ready, capsys):
    assert submit.main(["s3://b/a.mp4", *_AT, "--lane", "backfill", "--json"]) == 0

    document = json.loads(capsys.readouterr().out)
    (record,) = ready.all_of(BACKFILL)
    (told,) = document["uploads"]
    upload = decode_upload(record, max_bytes=65_536)
    assert told == {
        "video_id": "a",
        "uri": "s3://b/a.mp4",
        "trace_id": upload.trace_id,
        "place": str(record.place),
    }
    assert document["allowed_prefixes"] == ["s3://b/"]


def test_an_upload_that_cannot_be_sent_is_named_and_the_others_go(ready, tmp_path, capsys):
    (tmp_path / "a\nb.mp4").write_bytes(b"x")

    assert submit.main([str(tmp_path), "s3://b/c.mp4", *_AT]) == 3

    err = capsys.readouterr().err
    assert "refused a\\nb: " in err
    assert "video_id: wanted text without control characters" in err
    assert "1 submitted to vcd.uploads, 1 refused" in err
    assert [record.key for record in ready.all_of(UPLOADS)] == [b"c"]


def test_an_upload_that_the_log_never_takes_is_named(ready, capsys):
    ready.refused[UPLOADS] = InputError("too large for the topic")

    assert submit.main(["s3://b/c.mp4", *_AT]) == 3

    assert "refused c: too large for the topic" in capsys.readouterr().err


def test_a_log_that_takes_nothing_now_fails_with_a_sentence(ready):
    ready.refused[UPLOADS] = TransientError("no broker answers")

    with pytest.raises(TransientError, match="c: no broker answers; 0 before it are submitted"):
        submit.main(["s3://b/c.mp4", *_AT])


def test_more_uploads_than_are_sent_at_once_all_arrive(ready, monkeypatch):
    monkeypatch.setattr(submit, "_MAX_IN_FLIGHT", 3)

    assert submit.main([*(f"s3://b/{n}.mp4" for n in range(10)), *_AT]) == 0

    assert len(ready.all_of(UPLOADS)) == 10


def test_reports_are_the_newest_of_each_upload_in_plain_words(ready, capsys):
    _report(ready, "rabbit", matches=(), rejected=())
    _report(ready, "rabbit", matches=(make_match("rabbit", "tower"),), num_matches_left_out=2)
    _report(ready, "hare", matches=(), examined=(), refused="hare.mp4: empty file")

    assert reports.main(_AT) == 0

    out, err = capsys.readouterr()
    assert sorted(out.splitlines()) == [
        "hare: not examined: hare.mp4: empty file",
        "rabbit 12.4-31.0 s is tower 80.1-99.0 s, score 0.91",
        "rabbit: 2 weaker matches more",
    ]
    assert err == "2 reports\n"


def test_reports_as_json_are_one_a_line(ready, capsys, tmp_path):
    _report(ready, "rabbit")
    _report(ready, "hare")

    assert reports.main([*_AT, "--json", "--out", str(tmp_path / "reports.jsonl")]) == 0

    out = capsys.readouterr().out
    assert sorted(json.loads(line)["query_id"] for line in out.splitlines()) == ["hare", "rabbit"]
    assert (tmp_path / "reports.jsonl").read_text() == out


def test_reports_in_a_file_are_not_printed(ready, capsys, tmp_path):
    _report(ready, "rabbit")

    assert reports.main([*_AT, "--out", str(tmp_path / "reports.jsonl")]) == 0

    assert capsys.readouterr().out == ""
    assert len((tmp_path / "reports.jsonl").read_text().splitlines()) == 1


def test_a_file_that_cannot_be_written_is_a_sentence(ready, tmp_path):
    with pytest.raises(SetupError, match="cannot be written: Is a directory"):
        reports.main([*_AT, "--out", str(tmp_path)])


def test_what_is_no_report_is_named_and_the_others_are_shown(ready, capsys):
    _report(ready, "rabbit")
    _say(ready, REPORTS, b"x", b"{")

    assert reports.main(_AT) == 3

    out, err = capsys.readouterr()
    assert out.startswith("upload 12.4-31.0 s is tower")
    assert "wanted a report as one JSON object" in err


def test_following_goes_on_behind_what_was_there(ready, capsys, monkeypatch):
    _report(ready, "rabbit", matches=())
    tail_of = ready.tail

    def tail(topic, *, start=None):
        if start is not None:
            _report(ready, "hare", matches=())
        followed = tail_of(topic, start=start)
        take = followed.poll

        def poll(timeout_s, *, limit):
            records = take(timeout_s, limit=limit)
            if start is not None and not records:
                raise KeyboardInterrupt
            return records

        followed.poll = poll
        return followed

    monkeypatch.setattr(ready, "tail", tail)

    assert reports.main([*_AT, "--follow"]) == 130

    out, err = capsys.readouterr()
    assert [line.partition(":")[0] for line in out.splitlines()] == ["rabbit", "hare"]
    assert err == "2 reports\n"
