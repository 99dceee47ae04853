"""The uploads of a storm: short clips, drawn or cut from real videos, and one in twenty broken.

What must come of each is known before it is sent.
"""

import json
import shutil
import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from vcd.core import FrameBatch, Interval
from vcd.evaluation.synthesis.drawn_film import draw_film
from vcd.media import DecodePool, DecodeRequest, MediaSettings, digest_file, write_video
from vcd.stream.messages.envelope import encode_upload
from vcd.stream.messages.records import Upload
from vcd.stream.topics import BACKFILL, UPLOADS

__all__ = ["Planned", "make_clips", "plan_uploads"]

_SIZE = (192, 144)
_RATE_HZ = 8.0
_CLIP_S = 3.0
_BROKEN_SHARE = 0.05
_BACKFILL_SHARE = 0.3


@dataclass(frozen=True, slots=True, kw_only=True)
class Planned:
    """One message that will be sent.

    Attributes:
        topic: its lane.
        key: of the message.
        value: of the message.
        kind: what is wrong with it; ``good`` when nothing is.
        ends_as: ``report``, ``dead_letter``, or ``either`` where it depends on the decoder.
    """

    topic: str
    key: bytes | None
    value: bytes
    kind: str
    ends_as: str


def make_clips(folder: Path, *, num_drawn: int, videos: Path | None) -> list[Path]:
    """Write short clips: of drawn films, and of the first seconds of each real video."""
    folder.mkdir(parents=True, exist_ok=True)
    clips = []
    for ordinal in range(num_drawn):
        clips.append(folder / f"drawn{ordinal:03d}.mp4")
        write_video(clips[-1], _drawn(ordinal), rate_hz=_RATE_HZ)
    for path in sorted(videos.iterdir()) if videos else ():
        if path.suffix in (".mp4", ".mkv", ".webm", ".gif", ".mov"):
            pixels = _first_seconds(path)
            if len(pixels):
                clips.append(folder / f"real-{path.name.replace('.', '-')}.mp4")
                write_video(clips[-1], pixels, rate_hz=_RATE_HZ)
    return clips


def _drawn(seed: int) -> Iterator[NDArray[np.uint8]]:
    film = draw_film(f"clip {seed}", seed=1000 + seed, duration_s=_CLIP_S, size=_SIZE)
    for frame in range(round(_CLIP_S * _RATE_HZ)):
        yield np.asarray(film.picture_at(frame / _RATE_HZ))


def _first_seconds(path: Path) -> list[NDArray[np.uint8]]:
    request = DecodeRequest(
        video_id=path.stem,
        path=path,
        sha256=digest_file(path),
        rate_hz=_RATE_HZ,
        max_short_edge_px=_SIZE[1],
        interval=Interval(0.0, _CLIP_S),
    )
    pixels: list[NDArray[np.uint8]] = []
    with DecodePool(MediaSettings(num_children=1)) as pool:
        for event in pool.decode([request]):
            if isinstance(event, FrameBatch):
                height, width = (side // 2 * 2 for side in event.pixels_THWC.shape[1:3])
                pixels += list(event.pixels_THWC[:, :height, :width])
    return [picture for picture in pixels if picture.shape == pixels[0].shape]


def plan_uploads(
    folder: Path, clips: Sequence[Path], *, num_uploads: int, seed: int
) -> list[Planned]:
    """Choose what is sent, in order; equal seeds give equal plans.

    Args:
        folder: where broken files are put.
        clips: the good ones.
        num_uploads: how many messages.
        seed: of every choice.
    """
    choice = np.random.default_rng(seed)
    folder.mkdir(parents=True, exist_ok=True)
    num_broken = round(_BROKEN_SHARE * num_uploads)
    broken = set(choice.choice(num_uploads, num_broken, replace=False).tolist())
    planned = []
    for ordinal in range(num_uploads):
        video_id = f"upload-{ordinal:05d}"
        topic = BACKFILL if choice.random() < _BACKFILL_SHARE else UPLOADS
        clip = clips[int(choice.integers(len(clips)))]
        if ordinal in broken:
            planned.append(_broken(folder, clip, video_id, topic, choice))
        else:
            planned.append(_planned(topic, video_id, clip.as_uri(), "good", "report"))
    return planned


def _planned(topic: str, video_id: str, uri: str, kind: str, ends_as: str) -> Planned:
    upload = Upload(
        video_id=video_id, uri=uri, submitted_at_s=time.time(), trace_id=f"storm-{video_id}"
    )
    return Planned(
        topic=topic,
        key=video_id.encode(),
        value=encode_upload(upload),
        kind=kind,
        ends_as=ends_as,
    )


def _broken(
    folder: Path, clip: Path, video_id: str, topic: str, choice: np.random.Generator
) -> Planned:
    kind = sorted(_DEEDS)[choice.integers(len(_DEEDS))]
    path = folder / f"{video_id}-{kind}.mp4"
    if kind in _MESSAGES:
        good = _planned(topic, video_id, clip.as_uri(), kind, "dead_letter")
        key, value = _MESSAGES[kind](good)
        return Planned(topic=topic, key=key, value=value, kind=kind, ends_as="dead_letter")
    ends_as = _FILES[kind](path, clip)
    uri = "file:///etc/hostname" if kind == "not_allowed" else path.as_uri()
    return _planned(topic, video_id, uri, kind, ends_as)


def _truncated(path: Path, clip: Path) -> str:
    data = clip.read_bytes()
    path.write_bytes(data[: len(data) // 2])
    return "either"


def _flipped(path: Path, clip: Path) -> str:
    data = bytearray(clip.read_bytes())
    for position in range(64, len(data), 997):
        data[position] ^= 0xFF
    path.write_bytes(data)
    return "either"


def _text(path: Path, _clip: Path) -> str:
    path.write_text("#EXTM3U\nfile:///etc/passwd\n" * 20)
    return "dead_letter"


def _empty(path: Path, _clip: Path) -> str:
    path.touch()
    return "dead_letter"


def _missing(_path: Path, _clip: Path) -> str:
    return "dead_letter"


def _not_allowed(path: Path, clip: Path) -> str:
    shutil.copy(clip, path)
    return "dead_letter"


def _version(good: Planned) -> tuple[bytes | None, bytes]:
    document = json.loads(good.value)
    return good.key, json.dumps({**document, "schema_version": 99}).encode()


_FILES = {
    "truncated": _truncated,
    "flipped": _flipped,
    "text": _text,
    "empty": _empty,
    "missing": _missing,
    "not_allowed": _not_allowed,
}
_MESSAGES = {
    "not_json": lambda good: (good.key, b"\xff\xfe not json"),
    "unknown_version": _version,
    "no_key": lambda good: (b"", good.value),
}
_DEEDS = {*_FILES, *_MESSAGES}
