"""The stage of the stream on real files, among uploads of every bad kind."""

import contextlib
import os
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable
from concurrent.futures import CancelledError, wait
from dataclasses import replace
from pathlib import Path
from typing import Any, cast

import numpy as np
import psutil
import pytest

from pipelines.check import _Run
from pipelines.detection import open_dense_pool, open_detector
from pipelines.items import find_items
from pipelines.matching import Matcher
from tests.fault.stage_world import (
    FILM_RATE_HZ,
    RATE_HZ,
    CopyingFetcher,
    open_test_stage,
    upload,
    write_film,
)
from vcd.config import load_settings
from vcd.core import InputError, SetupError, TransientError, VcdError
from vcd.core.codec import encode_report
from vcd.descriptors import ViewSettings
from vcd.media import DecodeRequest, write_video
from vcd.search import ExactIndex

_ROOT = Path(__file__).parents[2]
_PATIENCE_S = 120.0
_NUM_REFS = 3


@pytest.fixture(scope="module")
def folder(tmp_path_factory) -> Path:
    """Hold references, and uploads that copy some of them."""
    made: Path = tmp_path_factory.mktemp("films")
    (made / "refs").mkdir()
    (made / "uploads").mkdir()
    for seed in range(_NUM_REFS):
        write_film(made / "refs" / f"ref{seed}.mp4", seed)
    for seed in range(_NUM_REFS):
        write_film(made / "uploads" / f"copy{seed}.mp4", seed, first_s=3.0, length_s=7.0)
    write_film(made / "uploads" / "stranger.mp4", 77, length_s=6.0)
    return made


@pytest.fixture(scope="module")
def detector():
    with open_detector(None, {}) as detector:
        yield detector


@pytest.fixture(scope="module")
def index(detector, folder):
    requests = [
        DecodeRequest(
            video_id=path.stem,
            path=path,
            sha256="0" * 64,
            rate_hz=RATE_HZ,
            max_short_edge_px=detector.describer.max_short_edge_px,
        )
        for path in sorted((folder / "refs").iterdir())
    ]
    return ExactIndex([descriptors for _, descriptors in detector.describe(requests)])


@pytest.fixture(autouse=True)
def _villains_can_be_imported(monkeypatch):
    monkeypatch.syspath_prepend(str(_ROOT))


def _uploads(folder: Path) -> list[Path]:
    return sorted((folder / "uploads").iterdir())


def _error(future) -> VcdError:
    error = future.exception(_PATIENCE_S)
    assert isinstance(error, VcdError)
    return error


def _until(claim: Callable[[], bool]) -> None:
    end_s = time.monotonic() + _PATIENCE_S
    while not claim():
        assert time.monotonic() < end_s, "it never came true"
        time.sleep(0.01)


def test_a_report_is_what_check_says_to_the_byte(detector, index, folder):
    items = find_items([folder / "uploads"])
    with open_dense_pool(None) as dense_pool:
        matcher = Matcher(
            detector=detector,
            settings=load_settings(None, {}),
            derivation=None,
            threshold=None,
            threshold_digest="",
        )
        run = _Run(matcher=matcher, dense_pool=dense_pool, index=index, log=None)
        wanted = {report.query_id: report for report in run.check(items, rate_hz=RATE_HZ)}

    with open_test_stage(detector, index) as stage:
        futures = [stage.submit(upload(path)) for path in _uploads(folder)]
        reports = [future.result(_PATIENCE_S) for future in futures]

    assert sum(len(report.matches) for report in reports) == _NUM_REFS
    for report in reports:
        assert list(report.elapsed_s) == ["fetch", "describe", "search", "align"]
        assert encode_report(report, with_elapsed=False) == encode_report(
            wanted[report.query_id], with_elapsed=False
        )


@pytest.fixture
def bad(folder, tmp_path) -> dict[str, tuple[Path, type[VcdError]]]:
    """Hold one upload of each kind that cannot be checked, by the class that is said of it."""
    good = _uploads(folder)[0].read_bytes()
    contents: dict[str, tuple[str, bytes | None]] = {
        "not_a_video": ("text.mp4", b"WEBVTT\n\n00:00.000 --> 00:02.000\nhello\n" * 99),
        "undecodable": ("truncated.mp4", good[: len(good) // 3]),
        "decoder_died": ("crash-1.mp4", good),
        "decoder_hung": ("sleep-1.mp4", good),
        "decoder_confused": ("babble-1.mp4", good),
        "uninformative": ("black.mp4", b""),
        "not_found": ("missing.mp4", None),
    }
    made: dict[str, tuple[Path, type[VcdError]]] = {}
    for reason, (name, content) in contents.items():
        path = tmp_path / name
        if reason == "uninformative":
            black = np.zeros((240, 320, 3), np.uint8)
            write_video(path, [black] * 48, rate_hz=FILM_RATE_HZ)
        elif content is not None:
            path.write_bytes(content)
        made[reason] = (path, TransientError if reason == "decoder_died" else InputError)
    return made


def test_each_bad_upload_has_its_class_and_ten_good_ones_have_their_reports(
    detector, index, folder, bad
):
    good = [_uploads(folder)[ordinal % 4] for ordinal in range(10)]
    fetcher = CopyingFetcher()

    with open_test_stage(detector, index, fetcher=fetcher) as stage:
        refused = {reason: stage.submit(upload(path)) for reason, (path, _) in bad.items()}
        checked = [stage.submit(upload(path, f"good{n}")) for n, path in enumerate(good)]
        errors = {reason: _error(future) for reason, future in refused.items()}
        reports = [future.result(_PATIENCE_S) for future in checked]

    assert {reason: error.reason for reason, error in errors.items()} == {r: r for r in bad}
    assert {r: type(error) for r, error in errors.items()} == {
        r: kind for r, (_, kind) in bad.items()
    }
    assert [report.query_id for report in reports] == [f"good{n}" for n in range(10)]
    assert all(report.refused is None and report.examined for report in reports)
    assert fetcher.lent == set()


def test_a_sentence_names_the_upload_and_not_the_file_that_was_lent(detector, index, bad):
    path, _ = bad["undecodable"]

    with open_test_stage(detector, index) as stage:
        error = _error(stage.submit(upload(path, "movie 7")))

    assert "movie 7: wanted" in str(error)
    assert path.name not in str(error)


def test_the_file_is_gone_before_the_future_is_done(detector, index, folder, bad):
    fetcher = CopyingFetcher()
    left = []

    with open_test_stage(detector, index, fetcher=fetcher) as stage:
        for path in (_uploads(folder)[0], bad["undecodable"][0]):
            future = stage.submit(upload(path))
            future.add_done_callback(lambda _: left.append(len(fetcher.lent)))
            wait([future], _PATIENCE_S)

    assert left == [0, 0]
    assert fetcher.num_lent == 2


def test_a_file_that_was_changed_while_it_was_looked_at_has_no_report(detector, index, folder):
    with open_test_stage(detector, index, fetcher=_ChangingFetcher()) as stage:
        error = _error(stage.submit(upload(_uploads(folder)[0])))

    assert isinstance(error, TransientError)
    assert error.reason == "fetch_failed"


class _ChangingFetcher(CopyingFetcher):
    @contextlib.contextmanager
    def fetch(self, uri):
        with super().fetch(uri) as fetched:
            yield fetched
        raise TransientError("it was changed meanwhile", reason="fetch_failed")


def test_two_uploads_of_one_id_are_looked_at_side_by_side(detector, index, folder):
    path = _uploads(folder)[0]

    with open_test_stage(detector, index) as stage:
        futures = [stage.submit(upload(path, "same")) for _ in range(2)]
        texts = {encode_report(f.result(_PATIENCE_S), with_elapsed=False) for f in futures}

    assert len(texts) == 1


def test_a_slow_server_delays_nobody_else(detector, index, folder, tmp_path):
    come = threading.Event()
    slow = tmp_path / "slow.mp4"
    slow.write_bytes(_uploads(folder)[0].read_bytes())

    with open_test_stage(detector, index, fetcher=CopyingFetcher(wait_for=come)) as stage:
        waiting = stage.submit(upload(slow))
        others = [stage.submit(upload(path)) for path in _uploads(folder)]
        done, _ = wait(others, _PATIENCE_S)
        assert len(done) == len(others)
        assert not waiting.done()

        come.set()

        assert waiting.result(_PATIENCE_S).query_id == "slow"


def test_a_cancelled_upload_gives_its_child_and_its_file_back(
    detector, index, bad, folder, children
):
    fetcher = CopyingFetcher()
    limits = {"max_stall_s": 600.0, "max_wall_s": 600.0}

    with open_test_stage(detector, index, fetcher=fetcher, **limits) as stage:
        hanging = stage.submit(upload(bad["decoder_hung"][0]))
        _until(lambda: bool(children()) and bool(fetcher.lent))

        assert hanging.cancel()

        _until(lambda: not fetcher.lent)
        assert stage.submit(upload(_uploads(folder)[0])).result(_PATIENCE_S).matches


def test_an_upload_that_is_cancelled_before_it_was_begun_costs_nothing(detector, index, folder):
    come = threading.Event()
    fetcher = CopyingFetcher(wait_for=come)

    with open_test_stage(detector, index, fetcher=fetcher) as stage:
        slow = [stage.submit(upload(folder / "uploads" / "slow.mp4")) for _ in range(4)]
        last = stage.submit(upload(_uploads(folder)[0]))
        assert last.cancel()
        come.set()
        wait(slow, _PATIENCE_S)

    assert fetcher.num_lent == 0


def test_closing_ends_threads_and_children_and_leaves_no_promise_open(
    detector, index, folder, bad, children
):
    before = set(threading.enumerate())
    limits = {"max_stall_s": 600.0, "max_wall_s": 600.0}
    fetcher = CopyingFetcher()

    with open_test_stage(detector, index, fetcher=fetcher, **limits) as stage:
        paths = [bad["decoder_hung"][0], *_uploads(folder)]
        futures = [stage.submit(upload(path)) for path in paths]
        _until(lambda: bool(children()))
        stage.close()
        late = stage.submit(upload(paths[0]))

    assert all(future.done() for future in (*futures, late))
    with pytest.raises(CancelledError):
        futures[0].result()
    assert late.cancelled()
    assert set(threading.enumerate()) - before == set()
    assert children() == []
    assert fetcher.lent == set()


def test_the_index_is_taken_once_for_each_upload(detector, index, folder):
    taken = []

    def current_index():
        taken.append(index)
        return index

    with open_test_stage(detector, current_index) as stage:
        for path in _uploads(folder):
            assert stage.submit(upload(path)).result(_PATIENCE_S).index_version == index.version

    assert len(taken) == len(_uploads(folder))


def test_an_error_that_nobody_foresaw_costs_one_upload_one_try(detector, index, folder):
    divisors = [1, 0]

    def current_index():
        return index if 1 / divisors.pop() else None

    with open_test_stage(detector, current_index) as stage:
        first = _error(stage.submit(upload(_uploads(folder)[0])))
        second = stage.submit(upload(_uploads(folder)[0])).result(_PATIENCE_S)

    assert isinstance(first, TransientError)
    assert first.reason == "internal"
    assert "ZeroDivisionError" in str(first)
    assert second.matches


def test_an_index_that_cannot_serve_stops_the_worker(detector, index, folder):
    def current_index():
        raise SetupError("the index is of another space")

    with open_test_stage(detector, current_index) as stage:
        error = _error(stage.submit(upload(_uploads(folder)[0])))

    assert isinstance(error, SetupError)


class _BrokenDescriber:
    """Describes nothing, and says what it was told to."""

    def __init__(self, describer, *errors):
        self._describer = describer
        self._errors = list(errors)
        self.max_short_edge_px = describer.max_short_edge_px

    def describe(self, events, *, views):
        self.views = views
        for found in self._describer.describe(events, views=views):
            if self._errors:
                raise self._errors.pop(0)
            yield found


def test_describing_goes_on_after_an_error_that_nobody_foresaw(detector, index, folder):
    broken = _BrokenDescriber(detector.describer, ValueError("a defect"))
    paths = _uploads(folder)

    with open_test_stage(replace(detector, describer=cast("Any", broken)), index) as stage:
        first = _error(stage.submit(upload(paths[0])))
        second = stage.submit(upload(paths[1])).result(_PATIENCE_S)

    assert (type(first), first.reason) == (TransientError, "internal")
    assert second.matches


def test_uploads_are_described_in_the_views_of_the_detector(detector, index, folder):
    recording = _BrokenDescriber(detector.describer)
    told = replace(detector, describer=cast("Any", recording), views=ViewSettings())

    with open_test_stage(told, index) as stage:
        report = stage.submit(upload(_uploads(folder)[0])).result(_PATIENCE_S)

    assert recording.views == ViewSettings()
    assert report.matches


def test_a_lost_device_is_said_of_every_upload_and_of_later_ones(detector, index, folder, children):
    broken = _BrokenDescriber(detector.describer, SetupError("the device is lost"))

    with open_test_stage(replace(detector, describer=cast("Any", broken)), index) as stage:
        futures = [stage.submit(upload(path)) for path in _uploads(folder)]
        errors = [_error(future) for future in futures]
        later = _error(stage.submit(upload(_uploads(folder)[0])))
        _until(lambda: not children())
        with pytest.raises(SetupError, match="the device is lost"):
            stage.check()

    assert {(type(error), str(error)) for error in (*errors, later)} == {
        (SetupError, "the device is lost")
    }


def test_children_that_cannot_start_stop_the_worker(detector, index, folder, monkeypatch):
    monkeypatch.setattr("tests.fault.stage_world.VILLAINS", "no.such.module")

    with open_test_stage(detector, index) as stage:
        error = _error(stage.submit(upload(_uploads(folder)[0])))

    assert isinstance(error, SetupError)
    assert "No module named 'no'" in str(error)


_SCRIPT = """
import sys
import time
from pathlib import Path
from tests.fault.stage_world import open_test_stage, upload
from vcd.descriptors import Describer, DescribeSettings
from vcd.detector import Detector
from vcd.align import AlignSettings
from vcd.search import SearchSettings
detector = Detector(
    pool=None, describer=Describer(DescribeSettings()), search=SearchSettings(),
    align=AlignSettings(), settings_digest="", clock=lambda: 0.0,
)
with open_test_stage(detector, None, max_stall_s=600.0, max_wall_s=600.0) as stage:
    futures = [stage.submit(upload(Path(path))) for path in sys.argv[1:]]
    while sum(process.is_ready for process in list(stage.detector.pool._all)) < 2:
        time.sleep(0.05)
    print("begun", flush=True)
    futures[0].result()
"""


@pytest.mark.parametrize("number", [signal.SIGKILL, signal.SIGTERM], ids=lambda n: n.name)
def test_no_child_survives_a_worker_that_is_killed(bad, number):
    hanging = str(bad["decoder_hung"][0])
    worker = subprocess.Popen(
        [sys.executable, "-c", _SCRIPT, hanging, hanging],
        cwd=_ROOT,
        env=os.environ | {"PYTHONPATH": str(_ROOT)},
        stdout=subprocess.PIPE,
        text=True,
    )
    with worker:
        assert worker.stdout is not None
        assert worker.stdout.readline() == "begun\n"
        children = psutil.Process(worker.pid).children()
        assert len(children) == 2

        worker.send_signal(number)
        worker.wait(_PATIENCE_S)

    _until(lambda: not any(_is_alive(child) for child in children))


@pytest.fixture
def children(index) -> Callable[[], list[psutil.Process]]:
    """List the living children that were not there before."""
    before = psutil.Process().children()

    def list_them() -> list[psutil.Process]:
        found = psutil.Process().children()
        return [child for child in found if child not in before and _is_alive(child)]

    return list_them


def _is_alive(process: psutil.Process) -> bool:
    try:
        return process.status() not in (psutil.STATUS_ZOMBIE, psutil.STATUS_DEAD)
    except psutil.NoSuchProcess:
        return False
