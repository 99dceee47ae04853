"""Footage made at test time, and the `vcd` command as a stranger would run it."""

import os
import subprocess
import sys
from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
import pytest
from PIL import Image, ImageDraw

from vcd.media import write_video

if TYPE_CHECKING:
    from tests.e2e.stream_world import World
    from tests.kafka.broker import Broker

RATE_HZ = 12.0
SIZE = (320, 240)

Run = Callable[..., subprocess.CompletedProcess[str]]


def scene(rng: np.random.Generator) -> Image.Image:
    """Draw a composition that no other seed resembles: blurred colour fields and sharp shapes."""
    field = rng.integers(0, 256, (4, 5, 3)).astype(np.uint8)
    picture = Image.fromarray(field).resize((480, 360), Image.Resampling.BICUBIC)
    draw = ImageDraw.Draw(picture)
    for _ in range(9):
        left, top = rng.integers(0, 400), rng.integers(0, 300)
        box = (left, top, left + rng.integers(30, 160), top + rng.integers(30, 160))
        colour = tuple(int(level) for level in rng.integers(0, 256, 3))
        shape = (draw.ellipse, draw.rectangle)[rng.integers(2)]
        shape(tuple(int(edge) for edge in box), fill=colour)
    return picture


def footage(seed: int, length_s: float) -> Iterator[np.ndarray]:
    """Cut every three seconds to another scene, and let the camera drift in between."""
    rng = np.random.default_rng(seed)
    num_frames = round(length_s * RATE_HZ)
    for first in range(0, num_frames, round(3 * RATE_HZ)):
        picture = scene(rng)
        for step in range(min(round(3 * RATE_HZ), num_frames - first)):
            shift = 2 * step
            box = (shift, shift, shift + 380, shift + 285)
            yield np.array(picture.resize(SIZE, Image.Resampling.BILINEAR, box=box))


@pytest.fixture(scope="session")
def refs(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Hold six references of 15 s."""
    folder = tmp_path_factory.mktemp("refs")
    for seed in range(6):
        write_video(folder / f"ref{seed}.mp4", footage(seed, 15.0), rate_hz=RATE_HZ)
    return folder


def run_vcd(
    *arguments: object, cwd: Path | None = None, env: dict[str, str] | None = None
) -> subprocess.CompletedProcess[str]:
    """Run the command in a process of its own."""
    return subprocess.run(
        [sys.executable, "-m", "pipelines.cli", *map(str, arguments)],
        capture_output=True,
        text=True,
        cwd=cwd,
        env={**os.environ, **(env or {})},
        timeout=300,
        check=False,
    )


@pytest.fixture(scope="session")
def vcd() -> Run:
    return run_vcd


@pytest.fixture(scope="session")
def index(refs: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Hold an index of the six references."""
    path = tmp_path_factory.mktemp("index") / "refs.index"
    result = run_vcd("index", "add", refs, "--index", path)
    assert result.returncode == 0, result.stderr
    return path


def one_sentence(text: str, *words: str) -> None:
    """Assert that a failure reads like a sentence and not like a crash."""
    assert "Traceback" not in text, text
    for word in words:
        assert word in text, text


def write_frames(path: Path, frames: Sequence[np.ndarray] | Iterator[np.ndarray]) -> Path:
    write_video(path, frames, rate_hz=RATE_HZ)
    return path


@pytest.fixture(scope="session")
def films(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Hold three films of 9 s, a copy of the first from its third second on, and a stranger."""
    folder = tmp_path_factory.mktemp("films")
    for seed in range(3):
        write_frames(folder / f"film{seed}.mp4", footage(100 + seed, 9.0))
    write_frames(folder / "copy.mp4", list(footage(100, 9.0))[24:])
    write_frames(folder / "stranger.mp4", footage(109, 5.0))
    return folder


@pytest.fixture(scope="session")
def stream_broker(tmp_path_factory: pytest.TempPathFactory) -> "Iterator[Broker]":
    """A broker for the verbs, whose topics have fixed names; SASL wants one user's password."""
    from tests.kafka.broker import Broker, NoBrokerError

    login = "org.apache.kafka.common.security.plain.PlainLoginModule required"
    broker = Broker(
        tmp_path_factory.mktemp("kafka"),
        listeners={"SASL": "SASL_PLAINTEXT"},
        settings={
            "sasl.enabled.mechanisms": "PLAIN",
            "listener.name.sasl.plain.sasl.jaas.config": f'{login} user_vcd="right";',
        },
    )
    try:
        broker.start()
    except NoBrokerError as error:
        pytest.skip(str(error))
    yield broker
    broker.kill()


@pytest.fixture(scope="session", params=["sqlite", pytest.param("kafka", marks=pytest.mark.kafka)])
def world(
    request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory, films: Path
) -> "Iterator[World]":
    """A log of each kind, with two references and a worker when one is asked for."""
    from tests.e2e.stream_world import World, redirecting
    from tests.fault.web_server import answer, serving

    folder = tmp_path_factory.mktemp(request.param)
    log = f"sqlite:{folder}/bus.db"
    if request.param == "kafka":
        log = request.getfixturevalue("stream_broker").address
    with ExitStack() as stack:
        inner = stack.enter_context(serving(answer("200 OK", "Content-Length: 0")))
        outside = redirecting(f"http://127.0.0.1:{inner.port}/clips/secret.mp4")
        cdn = stack.enter_context(serving(outside, address="127.0.0.2"))
        world = World(folder, log, cdn=cdn, inner=inner)
        stack.callback(world.close)
        world.create()
        result = world.vcd("references", "add", films / "film0.mp4", films / "film1.mp4")
        assert result.returncode == 0, result.stderr
        yield world
