"""Lines of JSON and TensorBoard's events say the same, whatever was killed in between."""

import json
import struct

import pytest

from vcd.core.errors import SetupError
from vcd.training.metrics import append_metrics, event_record, keep_metrics_until


def line_of(step, **metrics):
    return {"step": step, "time_s": 1000.0 + step} | metrics


def steps_in(folder):
    text = (folder / "metrics.jsonl").read_text()
    return [json.loads(line)["step"] for line in text.splitlines()]


def events_in(folder):
    """Take the frames of an event file apart: the bytes of each event."""
    content = next(folder.glob("*tfevents*")).read_bytes()
    events = []
    while content:
        (length,) = struct.unpack("<Q", content[:8])
        events.append(content[12 : 12 + length])
        content = content[16 + length :]
    return events


def test_an_event_is_byte_for_byte_what_tensorboard_writes():
    """From tensorboard 2.21: EventFileWriter of a Summary of one value, at step 300, time 1.5."""
    written = event_record({"step": 300, "time_s": 1.5, "micro_ap": 0.25})

    assert written.hex() == (
        "1f00000000000000514b441809000000000000f83f10ac022a110a0f0a086d6963"
        "726f5f6170150000803e1833209b"
    )


def test_every_epoch_is_in_both_files(tmp_path):
    keep_metrics_until(tmp_path, 0)
    append_metrics(tmp_path, line_of(10, loss=2.0))
    append_metrics(tmp_path, line_of(20, loss=1.0, micro_ap=0.5))

    version, first, second = events_in(tmp_path)
    assert steps_in(tmp_path) == [10, 20]
    assert b"brain.Event:2" in version
    assert b"loss" in first
    assert b"micro_ap" in second


def test_lines_after_the_checkpoint_are_dropped_from_both_files(tmp_path):
    keep_metrics_until(tmp_path, 0)
    for step in (10, 20, 30):
        append_metrics(tmp_path, line_of(step, loss=1.0))
    whole = next(tmp_path.glob("*tfevents*")).read_bytes()

    keep_metrics_until(tmp_path, 20)
    append_metrics(tmp_path, line_of(30, loss=1.0))

    assert steps_in(tmp_path) == [10, 20, 30]
    assert next(tmp_path.glob("*tfevents*")).read_bytes() == whole


@pytest.mark.parametrize("cut", ['{"step": 20, "lo', "[]\n", "7\n", '{"loss": 1}\n', "\xff\n"])
def test_a_line_that_a_kill_has_cut_off_is_dropped(tmp_path, cut):
    keep_metrics_until(tmp_path, 0)
    append_metrics(tmp_path, line_of(10, loss=1.0))
    with (tmp_path / "metrics.jsonl").open("a", encoding="latin-1") as log:
        log.write(cut)

    keep_metrics_until(tmp_path, 20)

    assert steps_in(tmp_path) == [10]
    assert len(events_in(tmp_path)) == 2


def test_a_run_that_begins_again_begins_with_empty_files(tmp_path):
    keep_metrics_until(tmp_path, 0)
    append_metrics(tmp_path, line_of(10, loss=1.0))

    keep_metrics_until(tmp_path, 0)

    assert steps_in(tmp_path) == []
    assert len(events_in(tmp_path)) == 1


@pytest.mark.parametrize(
    "write",
    [
        lambda folder: append_metrics(folder, line_of(1)),
        lambda folder: keep_metrics_until(folder, 0),
    ],
    ids=["append", "keep"],
)
def test_metrics_that_cannot_be_written_are_named(tmp_path, write):
    with pytest.raises(SetupError, match="metrics cannot be written"):
        write(tmp_path / "missing")
