"""What the demo makes: eight references, and uploads that copy from them in eight ways."""

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from vcd.core import Interval
from vcd.evaluation.stretches import TrueCopy
from vcd.evaluation.synthesis.drawn_film import Film, draw_film
from vcd.evaluation.synthesis.edits import Edit

__all__ = ["Part", "Upload", "demo_refs", "demo_uploads", "film_frames"]

_WIDE = (384, 216)
_OLD = (320, 240)
_TINY = (192, 108)
_REFS = (
    ("harbour", 11, 14.0, _WIDE),
    ("orchard", 12, 18.0, _WIDE),
    ("night-train", 13, 22.0, _WIDE),
    ("glasshouse", 14, 16.0, _OLD),
    ("salt-road", 15, 25.0, _WIDE),
    ("carousel", 16, 12.0, _OLD),
    ("lighthouse", 17, 20.0, _WIDE),
    ("ice-fair", 18, 17.0, _WIDE),
)
_STRANGERS = (
    ("stranger-a", 91, 20.0, _WIDE),
    ("stranger-b", 92, 14.0, _OLD),
    ("stranger-c", 93, 18.0, _WIDE),
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Part:
    """A stretch of a film as it appears in an upload.

    Attributes:
        film: where it is from.
        start_s: where it starts in the film.
        end_s: where it ends in the film.
        speed: film seconds that pass in a second of the upload.
        edits: what was done to each picture, in order.
    """

    film: Film
    start_s: float
    end_s: float
    speed: float = 1.0
    edits: tuple[Edit, ...] = ()

    @property
    def length_s(self) -> float:
        """How long it lasts in the upload."""
        return (self.end_s - self.start_s) / self.speed

    def pixels_at(self, since_s: float, size: tuple[int, int], behind: Film) -> NDArray[np.uint8]:
        """Draw and edit the picture that is shown ``since_s`` after the part's start."""
        pixels = np.asarray(self.film.picture_at(self.start_s + since_s * self.speed))
        for edit in self.edits:
            other = np.asarray(behind.picture_at(since_s)) if edit.needs_other else None
            pixels = edit.apply(pixels, other)
        return np.asarray(Image.fromarray(pixels).resize(size, Image.Resampling.BILINEAR))


@dataclass(frozen=True, slots=True, kw_only=True)
class Upload:
    """A video to check, put together from parts.

    Attributes:
        id: its name.
        about: what was done, in a few words.
        parts: one after the other.
        size: width and height in pixels.
        behind: the film that an inset lies in.
        crf: of the encoder; larger is smaller and worse, 23 is usual.
    """

    id: str
    about: str
    parts: tuple[Part, ...]
    size: tuple[int, int]
    behind: Film
    crf: int = 23

    @property
    def duration_s(self) -> float:
        return sum(part.length_s for part in self.parts)

    def picture_at(self, time_s: float) -> Image.Image:
        """Draw the picture at a time."""
        for part, query in self._placed():
            if time_s < query.end_s:
                return Image.fromarray(
                    part.pixels_at(time_s - query.start_s, self.size, self.behind)
                )
        raise ValueError(f"{self.id}: {time_s} s is after its end")

    def frames(self, rate_hz: float) -> Iterator[NDArray[np.uint8]]:
        """Draw every frame."""
        for part, query in self._placed():
            for frame in range(round(query.start_s * rate_hz), round(query.end_s * rate_hz)):
                yield part.pixels_at(frame / rate_hz - query.start_s, self.size, self.behind)

    def true_copies(self, ref_ids: frozenset[str]) -> tuple[TrueCopy, ...]:
        """Tell which stretches are copied from one of these references."""
        return tuple(
            TrueCopy(
                query_id=self.id,
                ref_id=part.film.title,
                query=query,
                ref=Interval(part.start_s, part.end_s),
            )
            for part, query in self._placed()
            if part.film.title in ref_ids
        )

    def _placed(self) -> Iterator[tuple[Part, Interval]]:
        start_s = 0.0
        for part in self.parts:
            yield part, Interval(start_s, start_s + part.length_s)
            start_s += part.length_s


def demo_refs() -> dict[str, Film]:
    """Draw the references, by title."""
    return {
        title: draw_film(title, seed=seed, duration_s=duration_s, size=size)
        for title, seed, duration_s, size in _REFS
    }


def demo_uploads(refs: dict[str, Film]) -> tuple[Upload, ...]:
    """Plan the uploads: eight that copy, two that do not."""
    a, b, c = (
        draw_film(title, seed=seed, duration_s=duration_s, size=size)
        for title, seed, duration_s, size in _STRANGERS
    )

    def upload(
        id_: str, about: str, *parts: Part, size: tuple[int, int] = _WIDE, crf: int = 23
    ) -> Upload:
        return Upload(id=id_, about=about, parts=parts, size=size, behind=b, crf=crf)

    harbour, orchard, salt_road = refs["harbour"], refs["orchard"], refs["salt-road"]
    inserted = (_part(a, "", 0, 7), _part(refs["glasshouse"], "", 5, 13), _part(a, "", 7, 14))
    clip, slowed = (
        _part(refs["carousel"], "grey text", 2, 9),
        _part(refs["ice-fair"], "", 6, 14, 0.8),
    )
    stacked = _part(salt_road, "flip crop70 text jpeg8", 8, 20, 1.25)
    return (
        upload("cropped", "all of it, cropped, words on it", _part(harbour, "crop70 text")),
        upload(
            "mirrored", "10 s of it, mirrored, recoloured", _part(orchard, "flip colour", 4, 14)
        ),
        upload("faster", "all of it, 1.5 times as fast", _part(refs["night-train"], speed=1.5)),
        upload("inserted", "8 s of it in the middle of another video", *inserted),
        upload(
            "worn", "all of it, tiny, at 1/16 of the bitrate", _part(salt_road), size=_TINY, crf=45
        ),
        upload("framed", "9 s of it, as an inset", _part(refs["lighthouse"], "inset", 6, 15)),
        upload("mixtape", "clips of two, grey or slowed", clip, _part(c, "", 2, 8), slowed),
        upload("stacked", "mirrored, cropped, lettered, worn, faster", stacked, size=_OLD),
        upload("own-work", "nothing copied", _part(c, "", 8, 18)),
        upload("own-words", "nothing copied, words on it", _part(b, "text"), size=_OLD),
    )


def film_frames(film: Film, rate_hz: float) -> Iterator[NDArray[np.uint8]]:
    """Draw every frame of a film."""
    for frame in range(round(film.duration_s * rate_hz)):
        yield np.asarray(film.picture_at(frame / rate_hz))


def _part(
    film: Film,
    edits: str = "",
    start_s: float = 0.0,
    end_s: float | None = None,
    speed: float = 1.0,
) -> Part:
    """Take a stretch of a film; the whole of it when no end is given."""
    return Part(
        film=film,
        start_s=start_s,
        end_s=film.duration_s if end_s is None else end_s,
        speed=speed,
        edits=tuple(Edit(name=name, seed=7) for name in edits.split()),
    )
