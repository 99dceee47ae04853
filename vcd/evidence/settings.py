"""What evidence can be told: how much of it is kept, and how large its pictures are."""

from dataclasses import dataclass

__all__ = ["EvidenceSettings"]


@dataclass(frozen=True, slots=True, kw_only=True)
class EvidenceSettings:
    """How much a reviewer gets to see; nothing here can change a match."""

    in_reports: bool = False
    """Whether the reports of a worker say of each match why: its line, its similarity second by
    second, its best frame pairs, what seems to have been done to it. Adds about 400 bytes for a
    match and 55 for each second of it."""

    max_map_cells: int = 96
    """Rows and columns of a similarity heat map at most. Larger: finer maps, larger files."""

    max_frame_pairs: int = 48
    """Pictures of either side of a match that are kept, evenly spread. Larger: the pair under the
    pointer is nearer to it, and files are larger."""

    max_pictured_matches: int = 24
    """Matches of one upload that have pictures and clips, the best ones; the others have all but
    these. Larger: `--min-score=-inf` writes more files and takes longer."""

    frame_height_px: int = 180
    """Height of these pictures. Larger: more detail, larger files."""

    preview_height_px: int = 360
    """Height of the clips; smaller originals keep theirs. Larger: larger files."""

    preview_rate_hz: float = 10.0
    """Frames a second of the clips. Larger: smoother, larger, and slower to make."""

    max_preview_s: float = 60.0
    """A clip of a longer match ends here, which the page says. Larger: larger files."""

    def __post_init__(self) -> None:
        counts = (self.max_map_cells, self.max_frame_pairs, self.frame_height_px)
        if min(*counts, self.preview_height_px) < 2:
            raise ValueError(f"wanted counts and heights of 2 or more, got {self}")
        if not (self.preview_rate_hz > 0 and self.max_preview_s > 0):
            raise ValueError(f"wanted a rate and a length above 0, got {self}")
