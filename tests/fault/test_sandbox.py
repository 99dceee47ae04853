"""Decoding processes under every failure that we claim to survive."""

import os
import re
import signal
import socket
import subprocess
import sys
import time
from collections import Counter
from pathlib import Path

import numpy as np
import pytest

from tests.clips import collected, number_in, request_for
from vcd.core import Examination, FrameBatch, Interval, SetupError
from vcd.media import DecodePool, MediaSettings

_ROOT = Path(__file__).parents[2]
_QUICK = {"max_stall_s": 2.0, "num_children": 2}


def _pool(module: str = "villains", **changes) -> DecodePool:
    return DecodePool(MediaSettings(**(_QUICK | changes)), child_module=f"tests.fault.{module}")


def _only(pool: DecodePool, path: Path) -> Examination:
    with pool:
        _, examinations = collected(pool.decode([request_for(path)]))
    found: Examination = examinations[path.name]
    return found


@pytest.mark.parametrize(
    ("name", "sentence", "reason"),
    [
        ("spin-1.mp4", "its decoder (hung|died .SIGXCPU)", "decoder_hung"),
        ("sleep-1.mp4", "its decoder hung", "decoder_hung"),
        ("crash-1.mp4", r"its decoder died \(SIGSEGV\)", "decoder_died"),
        ("bomb-1.mp4", "within 512 MiB of memory", "over_limit"),
        ("liar-1.mp4", "its decoder spoke nonsense", "decoder_confused"),
        ("overrun-1.mp4", "its decoder spoke nonsense", "decoder_confused"),
        ("babble-1.mp4", "its decoder spoke nonsense", "decoder_confused"),
    ],
)
def test_a_hostile_video_is_refused_and_its_neighbours_are_not(named, name, sentence, reason):
    paths = [named("before.mp4"), named(name), named("after.mp4"), named("last.mp4")]

    with _pool(max_memory_bytes=512 * 2**20) as pool:
        batches, examinations = collected(pool.decode([request_for(path) for path in paths]))

    assert len(examinations) == 4
    found = examinations.pop(name)
    assert found.reason == reason
    assert re.search(sentence, found.refused), found.refused
    assert str(paths[1]) in found.refused
    for neighbour, found in examinations.items():
        assert found.refused is None
        assert sum(len(batch) for batch in batches[neighbour]) == 22


@pytest.mark.parametrize("name", ["decordcrash-1.mp4", "decordhang-1.mp4"])
def test_pyav_goes_on_where_decord_died(named, name):
    path, twin = named(name), named("good.mp4")
    settings = {"rate_hz": 25.0}

    with _pool(max_batch_frames=8) as pool:
        batches, examinations = collected(
            pool.decode([request_for(path, **settings), request_for(twin, **settings)])
        )

    assert examinations[name].refused is None
    assert examinations[name].decoder == "decord+pyav"
    assert examinations["good.mp4"].decoder == "decord"
    assert examinations[name].examined == (Interval(0.0, 3.0),)
    starts, pixels = (
        [np.concatenate([part(batch) for batch in batches[video]]) for video in (name, "good.mp4")]
        for part in (lambda batch: batch.timeline.start_s, lambda batch: batch.pixels_THWC)
    )
    assert np.array_equal(starts[0], starts[1])
    assert [batch.first_frame for batch in batches[name]] == list(range(0, 75, 8))
    assert np.abs(pixels[0].astype(int) - pixels[1]).mean() < 2.0


@pytest.mark.parametrize(
    "module", ["villains", "villains_without_namespaces", "villains_without_filter"]
)
def test_no_child_reaches_the_network(named, module):
    with socket.create_server(("127.0.0.1", 0)) as server:
        port = server.getsockname()[1]
        socket.create_connection(("127.0.0.1", port), timeout=2.0).close()

        found = _only(_pool(module), named(f"connect-{port}.mp4"))

    assert found.refused is not None
    assert found.refused.startswith("failed:")


@pytest.mark.parametrize("deed", ["write", "overwrite", "unlink", "program", "signal", "secret"])
def test_no_child_writes_starts_signals_or_reads_the_environment(named, deed, monkeypatch):
    monkeypatch.setenv("VCD_TEST_SECRET", "s3cr3t")
    path = named(f"{deed}-1.mp4")
    before = path.read_bytes()

    found = _only(_pool(), path)

    assert found.refused is not None
    assert found.refused.startswith("failed:")
    assert path.read_bytes() == before
    assert not path.with_suffix(".written").exists()


def test_a_child_is_light_and_replaced_after_its_share_of_videos(named):
    paths = [named(f"limits-{ordinal}.mp4") for ordinal in range(4)]

    with _pool(num_children=1, videos_per_child=2) as pool:
        _, examinations = collected(pool.decode([request_for(path) for path in paths]))

    told = [found.refused for found in examinations.values()]
    assert all(text.startswith("torch False, files 64, pid") for text in told)
    assert sorted(Counter(told).values()) == [2, 2]


def test_a_closed_generator_leaves_no_child(named):
    with _pool(max_stall_s=60.0) as pool:
        results = pool.decode([request_for(named("good.mp4")), request_for(named("spin-1.mp4"))])
        next(results)
        children = [process.pid for process in pool._all]
        began_s = time.monotonic()

        results.close()

        assert time.monotonic() - began_s < 1.0
        assert len(children) == 2
        assert not any(_is_alive(pid) for pid in children)


def test_requests_are_drawn_when_a_child_is_free(named):
    path = named("good.mp4")
    drawn = []

    def requests():
        for ordinal in range(50):
            drawn.append(ordinal)
            yield request_for(path, video_id=str(ordinal))

    with _pool() as pool:
        results = pool.decode(requests())
        while not isinstance(next(results), Examination):
            pass

        assert len(drawn) <= 3
        results.close()


def test_a_child_waits_for_a_slow_caller(named):
    path = named("good.mp4")
    with _pool(num_children=1, max_batch_frames=4) as pool:
        results = pool.decode([request_for(path, rate_hz=100.0)])
        first = next(results)
        assert isinstance(first, FrameBatch)
        (child,) = pool._all
        time.sleep(0.5)
        before = _cpu_ticks(child.pid)
        time.sleep(0.5)

        assert _cpu_ticks(child.pid) == before
        rest, examinations = collected(results)

    assert examinations["good.mp4"].refused is None
    shown = [number_in(picture) for batch in rest["good.mp4"] for picture in batch.pixels_THWC]
    expected = [cell // 4 for cell in range(300)]
    assert [number_in(picture) for picture in first.pixels_THWC] + shown == expected


def test_a_second_decode_runs_while_the_first_is_suspended(named):
    path = named("good.mp4")
    with _pool(num_children=1, max_batch_frames=4) as pool:
        outer = pool.decode([request_for(path, rate_hz=100.0)])
        next(outer)

        denser = request_for(path, rate_hz=8.0, interval=Interval(1.0, 2.0))
        batches, examinations = collected(pool.decode([denser]))

        assert sum(len(batch) for batch in batches["good.mp4"]) == 8
        assert examinations["good.mp4"].refused is None
        _, last = collected(outer)
        assert last["good.mp4"].refused is None


def test_a_child_that_cannot_start_is_our_fault(named):
    with (
        DecodePool(MediaSettings(), child_module="no.such.module") as pool,
        pytest.raises(SetupError, match="No module named 'no'"),
    ):
        list(pool.decode([request_for(named("good.mp4"))]))


_SCRIPT = """
import sys
from pathlib import Path
from tests.clips import request_for
from vcd.media import DecodePool, MediaSettings
pool = DecodePool(MediaSettings(num_children=2), child_module="tests.fault.villains")
paths = [Path(path) for path in sys.argv[1:]]
results = pool.decode([request_for(path) for path in paths])
print(type(next(results)).__name__, *[process.pid for process in pool._all], flush=True)
for _ in results:
    pass
"""


def _start(*paths: Path) -> tuple[subprocess.Popen[str], list[int]]:
    process = subprocess.Popen(
        [sys.executable, "-c", _SCRIPT, *map(str, paths)],
        cwd=_ROOT,
        env=os.environ | {"PYTHONPATH": str(_ROOT)},
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        process_group=0,
        preexec_fn=hears_ctrl_c,  # noqa: PLW1509  # one call, before any thread
    )
    assert process.stdout is not None
    children = [int(pid) for pid in process.stdout.readline().split()[1:]]
    assert len(children) == 2
    return process, children


def hears_ctrl_c() -> None:
    """Listen to Ctrl-C even where the tests themselves run in the background and do not."""
    signal.signal(signal.SIGINT, signal.SIG_DFL)


def test_children_die_with_a_killed_parent(named):
    parent, children = _start(named("good.mp4"), named("spin-1.mp4"))
    assert all(_is_alive(pid) for pid in children)

    parent.kill()
    parent.communicate()

    assert _are_gone_within(children, 3.0)


def test_ctrl_c_ends_all_without_a_word_from_children(named):
    parent, children = _start(named("good.mp4"), named("spin-1.mp4"))

    os.killpg(parent.pid, signal.SIGINT)
    _, talk = parent.communicate(timeout=10.0)

    assert talk.count("Traceback") == 1
    assert talk.rstrip().endswith("KeyboardInterrupt")
    assert _are_gone_within(children, 3.0)


def _are_gone_within(pids: list[int], seconds: float) -> bool:
    until_s = time.monotonic() + seconds
    while any(_is_alive(pid) for pid in pids) and time.monotonic() < until_s:
        time.sleep(0.05)
    return not any(_is_alive(pid) for pid in pids)


def _is_alive(pid: int) -> bool:
    try:
        state = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0]
    except FileNotFoundError:
        return False
    return state not in "ZX"


def _cpu_ticks(pid: int) -> int:
    fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    return int(fields[11]) + int(fields[12])
