"""Keep account of the videos on their way: what has come of each, and what is described.

It knows neither networks nor pictures.
"""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field, replace
from itertools import groupby

import numpy as np
from numpy.typing import NDArray

from vcd.core import (
    Descriptors,
    DescriptorSpace,
    Examination,
    FrameBatch,
    SetupError,
    Timeline,
    TransientError,
)
from vcd.descriptors.views import BLOCK_FRAMES, Cut, View

__all__ = ["Delivery", "Row", "Track"]

_MAX_MIRRORED_SIMILARITY = 0.6
"""Median similarity of mirrored frames to the frames themselves from which they are left out: the
bundled weights have 0.77 and find mirrored copies by the whole frames (docs/design/views.md)."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Row:
    """Which row of a video's descriptors: of which of its frames, cut how."""

    frame: int
    cut: Cut

    @property
    def block(self) -> tuple[int, int]:
        """What it shares with the rows of its view whose frames are looked at together."""
        return int(self.cut.view), self.frame // BLOCK_FRAMES


@dataclass(slots=True, eq=False)
class Track:
    """One video on its way: which of its frames have come, and which rows are described.

    Attributes:
        video_id: whose.
        examination: the last word of the decoder; None while frames may still come.
        newest: of each view, the delivery that was asked for last.
        is_mirror_given_up: whether mirrored frames are left out; those of a video that ended
            before that was tried are described already, and stay.
    """

    video_id: str
    examination: Examination | None = None
    newest: "dict[View, Delivery]" = field(default_factory=dict)
    is_mirror_given_up: bool = False
    _timelines: list[Timeline] = field(default_factory=list)
    _num_frames: int = 0
    _num_missing: int = 0
    _rows: list[tuple[Row, NDArray[np.float32]]] = field(default_factory=list)
    _wholes: dict[int, NDArray[np.float32]] = field(default_factory=dict)
    _failure: TransientError | None = None

    @property
    def is_done(self) -> bool:
        """Whether no frame and no row will come any more, or none is wanted."""
        if self.examination is None:
            return False
        return self._num_missing == 0 or self.examination.refused is not None

    def take(self, batch: FrameBatch) -> range:
        """Take the times of the next frames, and say which they are.

        Raises:
            ValueError: they are not the next ones.
        """
        first = self._num_frames
        if batch.first_frame != first:
            raise ValueError(
                f"{self.video_id}: wanted frame {first} next, got frame {batch.first_frame}"
            )
        self._timelines.append(batch.timeline)
        self._num_frames += len(batch)
        return range(first, self._num_frames)

    def expect_row(self) -> None:
        """Wait for one row more; it is delivered, or given up, later."""
        self._num_missing += 1

    def deliver(self, row: Row, feature: NDArray[np.float32]) -> None:
        """Take a row that was expected."""
        self._rows.append((row, feature))
        if row.cut.view is View.WHOLE:
            self._wholes[row.frame] = feature
        self._num_missing -= 1

    def give_up(self, error: TransientError) -> None:
        """One row cannot be described: a video with an unseen hole is worth nothing."""
        self._failure = error
        self._num_missing -= 1

    @property
    def mirror_is_of_use(self) -> bool:
        """Whether mirrored frames, as far as they are described, say what whole frames do not.

        Weights that were trained with mirrored copies find those anyway.
        """
        similarities = [
            float(self._wholes[row.frame] @ feature)
            for row, feature in self._rows
            if row.cut.view is View.MIRRORED and row.frame in self._wholes
        ]
        return not similarities or float(np.median(similarities)) < _MAX_MIRRORED_SIMILARITY

    def described(
        self, space: DescriptorSpace, *, max_similarity: float
    ) -> tuple[Examination, Descriptors]:
        """Put together what is known in the end, once `is_done`.

        Args:
            space: of the rows.
            max_similarity: the rows of a view that are all, in a block of frames, at least as
                similar to those of the whole frames are left out.

        Raises:
            ValueError: it is not done.
            SetupError: a row is not finite.
        """
        examination = self._last_word()
        if examination.refused is not None:
            return examination, Descriptors.empty(self.video_id, space)
        # A stable sort: the rows come view by view, and stay so within a frame.
        kept = sorted(self._kept(max_similarity), key=lambda each: each[0].frame)
        features = np.array([feature for _, feature in kept], dtype=np.float32)
        if not np.isfinite(features).all():
            raise SetupError(f"{self.video_id}: the weights {space.name} give numbers not finite")
        areas = [(a.left, a.top, a.right, a.bottom) for a in (row.cut.area for row, _ in kept)]
        return examination, Descriptors(
            video_id=self.video_id,
            timeline=Timeline.concatenate(self._timelines),
            features=features.reshape(len(kept), space.dim),
            frame=np.array([row.frame for row, _ in kept], dtype=np.int32),
            view=np.array([row.cut.view for row, _ in kept], dtype=np.int16),
            space=space,
            area=np.array(areas, dtype=np.float32).reshape(len(kept), 4),
        )

    def _last_word(self) -> Examination:
        if self.examination is None:
            raise ValueError(f"{self.video_id}: its frames have not ended")
        if self._failure is None or self.examination.refused is not None:
            return self.examination
        sentence = f"{self.video_id}: wanted all of its frames described: {self._failure}"
        return replace(
            self.examination, examined=(), skipped=(), refused=sentence, reason="undescribable"
        )

    def _kept(self, max_similarity: float) -> Iterator[tuple[Row, NDArray[np.float32]]]:
        ordered = sorted(self._rows, key=lambda each: each[0].block)
        if self.is_mirror_given_up:
            ordered = [each for each in ordered if each[0].cut.view is not View.MIRRORED]
        for (view, _), group in groupby(ordered, key=lambda each: each[0].block):
            rows = list(group)
            if view == View.WHOLE or not self._are_alike(rows, max_similarity):
                yield from rows

    def _are_alike(
        self, rows: Iterable[tuple[Row, NDArray[np.float32]]], max_similarity: float
    ) -> bool:
        for row, feature in rows:
            whole = self._wholes.get(row.frame)
            if whole is None or float(whole @ feature) < max_similarity:
                return False
        return True


@dataclass(slots=True, eq=False)
class Delivery:
    """Where the descriptor of one picture goes: to its row, and to those after it that repeat it.

    A still of hours has one picture; describing it once is what keeps it from costing hours.
    """

    track: Track
    pixels_HWC: NDArray[np.uint8]
    rows: list[Row]
    outcome: NDArray[np.float32] | TransientError | None = None

    def is_of(self, pixels_HWC: NDArray[np.uint8]) -> bool:
        return np.array_equal(self.pixels_HWC, pixels_HWC)

    def repeat(self, row: Row) -> None:
        """Let another row have what the picture gets, or got already."""
        if self.outcome is None:
            self.rows.append(row)
        elif isinstance(self.outcome, TransientError):
            self.track.give_up(self.outcome)
        else:
            self.track.deliver(row, self.outcome)

    def __call__(self, feature: NDArray[np.float32]) -> None:
        self.outcome = feature
        for row in self.rows:
            self.track.deliver(row, feature)

    def give_up(self, error: TransientError) -> None:
        self.outcome = error
        for _ in self.rows:
            self.track.give_up(error)
