"""What can be set about the search, the choice of pairs, and the pre-flight of references."""

from dataclasses import dataclass

__all__ = ["PreflightSettings", "SearchSettings"]


@dataclass(frozen=True, slots=True, kw_only=True)
class SearchSettings:
    """How similar two frames must be, and how many of them make a candidate.

    The reasons for the defaults are in ``docs/design/search.md``.

    Raises:
        ValueError: a count is below 1, or a probe or slack is negative.
    """

    min_score: float = 0.3
    """Floor of the similarity of two frames, an inner product; it belongs to the descriptor
    space. Larger finds fewer hits. The default suits unit descriptors trained like SSCD."""

    min_pair_score: float = 0.3
    """Best similarity that a pair needs to be aligned. Larger aligns fewer pairs. The default
    leaves the decision to the floor."""

    min_pair_hits: int = 1
    """Pairs of similar frames that a pair of videos needs to be aligned; a pair with an image
    needs one. Larger ignores more chance hits and, from about 5 on, copies of 3 s. The default
    leaves the decision to the scores."""

    max_pairs: int = 1000
    """Safety cap on the candidates of one query, best first; what it cuts is counted in the
    report. Larger costs more alignments on footage that is like everything."""

    max_rejected: int = 10
    """How many rejected pairs are kept, best first. The default is what a report shows."""

    max_hits_per_query_row: int = 5
    """Hits kept of one pair for each row of the query, best first. Larger shows alignment more
    repetitions; 5 is what temporal networks are published with (VCSL)."""

    max_kept_hits: int = 1_000_000
    """Hits kept of one query over all pairs, best first; bounds memory to about 300 bytes times
    this. Larger loses less when a query is similar to everything."""

    max_chunk_hits: int = 262_144
    """Hits in one chunk of the search. Larger costs memory (about 100 bytes a hit) and saves a
    little time; the result is the same."""

    num_probes: int = 32
    """Lists of an inverted-file index that are searched. Larger finds more and is slower; no
    effect on the exact index. The default kept 95 % of nearest neighbours in our trial."""

    approximate_slack: float = 0.05
    """How far below the floor the score of an approximate index may lie and still be looked at
    exactly. Larger finds more and is slower; no effect on the exact index."""

    use_gpu: bool = True
    """Whether a GPU is used when FAISS sees one."""

    def __post_init__(self) -> None:
        for name in (
            "min_pair_hits",
            "max_pairs",
            "max_hits_per_query_row",
            "max_kept_hits",
            "max_chunk_hits",
            "num_probes",
        ):
            if getattr(self, name) < 1:
                raise ValueError(f"search.{name} must be at least 1, got {getattr(self, name)}")
        if self.max_rejected < 0 or not self.approximate_slack >= 0:
            raise ValueError("search.max_rejected and search.approximate_slack cannot be negative")
        if self.min_score != self.min_score or self.min_pair_score != self.min_pair_score:
            raise ValueError("search.min_score and search.min_pair_score must be numbers")


@dataclass(frozen=True, slots=True, kw_only=True)
class PreflightSettings:
    """Which stretches of a reference `vcd index preflight` proposes to exclude.

    Nothing here changes a match: what is accepted is stored with the index. The reasons for the
    defaults are in ``docs/design/evidence.md``.

    Raises:
        ValueError: a count is below 1, or a share or a length is out of its range.
    """

    min_videos: int = 2
    """Other videos in which a stretch must match to be common. Larger: fewer proposals; 1 proposes
    whatever any other video shares."""

    agreeing_share: float = 0.5
    """A common stretch ends where less than this share of the videos that match its most common
    frame still match. Larger: what only follows an intro in some videos is spared sooner."""

    duplicate_share: float = 0.9
    """A video that matches at least this share of the reference holds (nearly) all of it: it is
    told as a duplicate and makes nothing common. Larger: fewer duplicates."""

    max_excluded_share: float = 0.5
    """Proposals that take more than this share of the frames that carry evidence are accepted by
    `--anyway` alone; stills that do are not proposed. Larger: less is asked."""

    still_similarity: float = 0.97
    """Similarity to its first frame from which on a stretch counts as still. Larger: fewer stills.
    Empty rooms under a fixed camera have 0.99, people who talk before one 0.87."""

    min_still_s: float = 8.0
    """Shortest still that is proposed. Larger: fewer of them; slides and pauses are shorter."""

    min_silent_s: float = 1.0
    """Shortest black or flat stretch that is proposed. Larger: fewer of them."""

    margin_s: float = 0.5
    """How much is excluded on either side of a common stretch: one frame at the default rate.
    Larger: less of an intro stays, and less of what is next to it is protected."""

    max_gap_s: float = 1.0
    """Common stretches that lie this near to each other are one. Larger: fewer, longer ones."""

    def __post_init__(self) -> None:
        if self.min_videos < 1:
            raise ValueError(f"preflight.min_videos must be at least 1, got {self.min_videos}")
        for name in ("agreeing_share", "duplicate_share", "max_excluded_share", "still_similarity"):
            if not 0.0 < getattr(self, name) <= 1.0:
                raise ValueError(f"preflight.{name} must be in (0, 1], got {getattr(self, name)}")
        for name in ("min_still_s", "min_silent_s", "margin_s", "max_gap_s"):
            if not 0.0 <= getattr(self, name) < float("inf"):
                raise ValueError(
                    f"preflight.{name} must be a length of 0 or more, got {getattr(self, name)}"
                )
