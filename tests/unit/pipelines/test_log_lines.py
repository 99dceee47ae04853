import json
import logging
import sys

import pytest

from pipelines.log_lines import JsonLines, TextLines, log_to_stderr

_HOSTILE = 'a"b\\c\nd\re\x1b[2Jf\x00g\u2028h\u202ei\udc80'


def _record(message="report published", *args, exc_info=None, **extra):
    fields = {
        "name": "vcd.stream.worker",
        "levelno": logging.INFO,
        "levelname": "INFO",
        "msg": message,
        "args": args,
        "created": 1772366400.1234,
        "exc_info": exc_info,
    }
    return logging.makeLogRecord({**fields, **extra})


def _read(record):
    line = JsonLines().format(record)
    assert "\n" not in line
    return json.loads(line)


@pytest.fixture
def caught():
    error = ValueError("of no use\nat all")
    try:
        raise error
    except ValueError:
        return sys.exc_info()


@pytest.fixture
def loggers():
    """Logging is afterwards as it was."""
    names = (None, "vcd", "pipelines")
    before = [(logging.getLogger(name), logging.getLogger(name).level) for name in names]
    handlers = list(logging.getLogger().handlers)
    yield
    for logger, level in before:
        logger.setLevel(level)
    logging.getLogger().handlers[:] = handlers


def test_a_line_says_when_how_bad_who_and_what():
    fields = _read(_record("%d reports", 3))

    assert fields == {
        "time": "2026-03-01T12:00:00.123Z",
        "level": "INFO",
        "logger": "vcd.stream.worker",
        "message": "3 reports",
    }


def test_extras_are_fields():
    fields = _read(_record(trace_id="5f0c", place="vcd.uploads/3@17", attempts=2, elapsed_s=0.5))

    assert fields["trace_id"] == "5f0c"
    assert fields["place"] == "vcd.uploads/3@17"
    assert (fields["attempts"], fields["elapsed_s"]) == (2, 0.5)


@pytest.mark.parametrize(
    ("value", "written"),
    [
        pytest.param(float("nan"), "nan", id="JSON has no NaN"),
        pytest.param(float("inf"), "inf", id="nor infinity"),
        pytest.param(ValueError("why"), "why", id="an object is told as text"),
        pytest.param(b"\xff", "b'\\xff'", id="bytes as well"),
        pytest.param(None, None, id="nothing stays nothing"),
        pytest.param(True, True, id="a truth stays a truth"),
    ],
)
def test_any_extra_can_be_written(value, written):
    assert _read(_record(found=value))["found"] == written


def test_an_extra_does_not_replace_what_the_line_says_of_itself():
    assert _read(_record(level="none", time=0))["level"] == "INFO"


def test_hostile_text_stays_in_its_line_and_is_told_whole():
    fields = _read(_record(_HOSTILE, video_id=_HOSTILE))

    told = _HOSTILE.replace("\udc80", "\\udc80")
    assert (fields["message"], fields["video_id"]) == (told, told)
    assert JsonLines().format(_record(_HOSTILE)).isascii()


def test_an_exception_is_one_field(caught):
    fields = _read(_record("gave up", exc_info=caught))

    assert fields["message"] == "gave up"
    assert fields["exception"].startswith("Traceback (most recent call last):\n")
    assert fields["exception"].endswith("ValueError: of no use\nat all")


def test_text_ends_in_the_extras():
    line = TextLines().format(_record("gone", trace_id="5f0c", video_id="clip"))

    expected = "2026-03-01T12:00:00.123Z INFO vcd.stream.worker: gone (trace_id=5f0c video_id=clip)"
    assert line == expected


def test_hostile_text_cannot_move_the_cursor():
    line = TextLines().format(_record(_HOSTILE, video_id=_HOSTILE))

    assert line.isprintable()
    assert 'a"b\\c\\nd\\re\\x1b[2Jf\\x00g\\u2028h\\u202ei\\udc80 (video_id=' in line


def test_an_exception_follows_its_line_of_text_indented(caught):
    first, *rest = TextLines().format(_record("gave up", exc_info=caught)).splitlines()

    assert first.endswith("gave up")
    assert rest[-1] == "    at all"
    assert all(line.startswith("    ") for line in rest)


@pytest.mark.parametrize("as_json", [True, False])
def test_this_package_is_heard_from_info_on_and_others_when_they_fail(as_json, loggers, capsys):
    logging.getLogger().setLevel(logging.ERROR)

    log_to_stderr(as_json=as_json)
    logging.getLogger("vcd.stream").info("heard")
    logging.getLogger("kafka.conn").warning("not heard")
    logging.getLogger("vcd.stream").debug("not heard")

    (line,) = capsys.readouterr().err.splitlines()
    assert (json.loads(line)["message"] if as_json else line.rpartition(" ")[2]) == "heard"


def test_debugging_stays_on(loggers):
    logging.getLogger("vcd").setLevel(logging.DEBUG)

    log_to_stderr(as_json=True)

    assert logging.getLogger("vcd").level == logging.DEBUG


def test_a_second_call_replaces_the_first(loggers, capsys):
    log_to_stderr(as_json=False)
    log_to_stderr(as_json=True)
    logging.getLogger("vcd.stream").info("once")

    (line,) = capsys.readouterr().err.splitlines()
    assert json.loads(line)["message"] == "once"
