import io
import json
import sys

import pytest

from pipelines import console


def test_the_closing_line_counts_what_was_done_and_why_not():
    outcome = console.Outcome(
        num_done=34,
        num_unchanged=3,
        refused={
            "a": "/x/a.mp4: not a video: plain text",
            "b": "/x/b.mp4: not a video: a playlist",
            "c": "c: empty file",
        },
    )

    assert outcome.closing_line(done="indexed", note="37 in all") == (
        "34 indexed, 3 unchanged, 3 refused (2 not a video, 1 empty file); 37 in all"
    )


def test_what_was_found_says_more_than_what_was_wanted():
    refused = {
        "a": "/x/a.mp4: wanted a known container, found text",
        "b": "/x/b.mp4: wanted a video or image, found an empty file",
        "c": "/x/c.mp4: wanted a known container, found text",
    }

    line = console.Outcome(refused=refused).closing_line()

    assert line == "0 done, 3 refused (2 text, 1 an empty file)"


def test_rare_reasons_are_summed_up():
    refused = {f"{number}": f"{number}: reason {number}" for number in range(9)}

    line = console.Outcome(refused=refused).closing_line()

    assert line == ("0 done, 9 refused (1 reason 0, 1 reason 1, 1 reason 2, 6 for other reasons)")


def test_a_single_reason_is_not_counted_twice_and_one_is_not_many():
    outcome = console.Outcome(num_done=1, refused={"a": "a: empty file", "b": "b: empty file"})

    assert outcome.closing_line(noun="report", done="sent") == (
        "1 report sent, 2 refused (empty file)"
    )


@pytest.mark.parametrize(("refused", "code"), [({}, 0), ({"a": "empty file"}, 3)])
def test_the_exit_code_says_whether_something_was_refused(refused, code):
    assert console.Outcome(num_done=1, refused=refused).exit_code == code


def test_a_refused_item_is_named_at_once_on_stderr(capsys):
    console.Outcome().refuse("rabbit", "/x/rabbit.mp4: empty file")

    captured = capsys.readouterr()
    assert (captured.out, captured.err) == ("", "refused rabbit: empty file\n")


def test_a_sentence_with_a_colon_of_its_own_stays_whole(capsys):
    console.Outcome().refuse("rabbit", "wanted a video: found text")

    assert capsys.readouterr().err == "refused rabbit: wanted a video: found text\n"


def test_progress_is_silent_where_nobody_watches(capsys):
    with console.progress("indexing", total=2) as progress:
        progress.advance("a")

    assert capsys.readouterr() == ("", "")


class _Terminal(io.StringIO):
    def isatty(self) -> bool:
        return True


def test_progress_is_shown_on_a_terminal(monkeypatch):
    monkeypatch.setenv("TERM", "xterm")
    monkeypatch.setenv("FORCE_COLOR", "1")
    terminal = _Terminal()
    monkeypatch.setattr(sys, "stderr", terminal)

    with console.progress("indexing", total=2) as progress:
        progress.advance("rabbit")

    assert "indexing" in terminal.getvalue()
    assert "1/2" in terminal.getvalue()


def test_equal_documents_are_equal_bytes(capsys):
    console.print_json({"b": 1, "a": "ü"})
    first = capsys.readouterr().out
    console.print_json({"a": "ü", "b": 1})

    assert capsys.readouterr().out == first
    assert json.loads(first) == {"a": "ü", "b": 1}


def test_an_item_of_which_a_part_was_not_looked_at_is_named_and_counted(capsys):
    outcome = console.Outcome(num_done=2)

    outcome.miss("whole", 0.0)
    outcome.miss("cut", 14.5)

    assert capsys.readouterr().err == "cut: 14.5 s of it could not be looked at\n"
    assert outcome.closing_line(done="described") == "2 described, 1 not in full"
    assert outcome.exit_code == 0
