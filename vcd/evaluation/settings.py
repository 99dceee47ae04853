"""What a synthetic data set is made like, and how two descriptor files are matched."""

from dataclasses import dataclass
from typing import Literal

__all__ = ["MatchSettings", "SynthSettings"]


@dataclass(frozen=True, slots=True, kw_only=True)
class SynthSettings:
    """How `vcd synth` makes queries from a user's own videos (docs/design/synth.md).

    Attributes:
        num_queries: queries to make, those that copy nothing included. More make narrower
            confidence intervals and take longer, about 4 s of processor time each.
        negative_share: part of the queries that copies no reference, 0 to 1. Larger asks more
            often for silence. VSC2022 has 0.77; the default leaves a small set enough copies.
        strength: how hard the edits are, 0 to 1: 0 re-encodes and cuts only, 0.5 adds what
            everyday uploads show, 1 adds solarizing, quarter turns and tight crops.
        several_share: part of the copied stretches that gets two to four edits at once.
        distractor_share: part of the videos that becomes references nothing is copied from.
        stranger_share: part of the videos that becomes no reference: negatives are made from
            them, and the footage around, behind and beside copies.
        rate_hz: frames a second of the queries. Larger is smoother, and slower to make.
        short_edge_px: the shorter edge of a query, before edits that change its shape.
        min_segment_s: shortest stretch to copy, on the query's clock; VSC2022 goes down to 2 s.
        max_segment_s: longest stretch to copy, on the query's clock.
        seed: decides everything that is drawn.
    """

    num_queries: int = 100
    negative_share: float = 0.5
    strength: float = 0.5
    several_share: float = 0.4
    distractor_share: float = 0.2
    stranger_share: float = 0.3
    rate_hz: float = 24.0
    short_edge_px: int = 288
    min_segment_s: float = 3.0
    max_segment_s: float = 60.0
    seed: int = 1

    def __post_init__(self) -> None:
        if self.num_queries < 1:
            raise ValueError(f"synth.num_queries must be at least 1, got {self.num_queries}")
        for name in ("negative_share", "strength", "several_share"):
            if not 0.0 <= getattr(self, name) <= 1.0:
                raise ValueError(f"synth.{name} must be in [0, 1], got {getattr(self, name)}")
        shares = (self.distractor_share, self.stranger_share)
        if min(shares) < 0.0 or sum(shares) >= 1.0:
            raise ValueError(
                "synth.distractor_share and synth.stranger_share must leave videos to copy: "
                f"wanted a sum below 1, got {shares[0]} and {shares[1]}"
            )
        if not (1.0 <= self.rate_hz <= 120.0 and 32 <= self.short_edge_px <= 2160):
            raise ValueError(
                "synth.rate_hz must be in [1, 120] and synth.short_edge_px in [32, 2160], "
                f"got {self.rate_hz} and {self.short_edge_px}"
            )
        if not 1.0 <= self.min_segment_s <= self.max_segment_s < float("inf"):
            raise ValueError(
                "synth.min_segment_s must be in [1, max_segment_s], "
                f"got {self.min_segment_s} and {self.max_segment_s}"
            )
        if self.seed < 0:
            raise ValueError(f"synth.seed must not be negative, got {self.seed}")


@dataclass(frozen=True, slots=True, kw_only=True)
class MatchSettings:
    """How `vcd match` matches two descriptor files (docs/design/match.md).

    Attributes:
        protocol: ``check`` searches, aligns and scores as `vcd check` does; ``vsc2022`` is the
            published baseline: raw rows or, with a background, score-normalized ones, boxes of
            the aligner as they are, and the best similarity in them as score.
        max_frame_pairs_per_query: pairs of frames that are looked at, times the number of queries,
            best of all queries together; VSC2022 has 1,200. More find weaker copies and cost
            memory, 12 bytes each. None, the default, takes every pair from the floor on, as a
            check does.
        max_candidates_per_query: with a budget of frame pairs, pairs of videos that are told, times
            the number of queries, best first; VSC2022 has 25.
        max_aligned_per_query: with a budget of frame pairs, pairs of videos that are aligned, times
            the number of queries, best first; VSC2022 has 5. More find weaker copies, and take
            longer.
        alignment_offset: added by ``vsc2022`` to score-normalized similarities while they are
            aligned, and to nothing else; VSC2022 has 0.5. Larger lets weaker cells into a path.
    """

    protocol: Literal["check", "vsc2022"] = "check"
    max_frame_pairs_per_query: int | None = None
    max_candidates_per_query: int = 25
    max_aligned_per_query: int = 5
    alignment_offset: float = 0.5

    def __post_init__(self) -> None:
        budget = self.max_frame_pairs_per_query
        if budget is None and self.protocol == "vsc2022":
            raise ValueError("match.protocol vsc2022 needs match.max_frame_pairs_per_query")
        budgets = (self.max_candidates_per_query, self.max_aligned_per_query, budget)
        if any(each is not None and each < 1 for each in budgets):
            raise ValueError(f"a budget must be at least 1, got {self}")
        if not -10.0 <= self.alignment_offset <= 10.0:
            raise ValueError(
                f"match.alignment_offset must be in [-10, 10], got {self.alignment_offset}"
            )
