"""Match two descriptor files: with which background, which thresholds, which protocol.

thresholds   weights < fit < file < environment < flags        as in a check
"""

import tempfile
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from pipelines.detection import profile_defaults
from pipelines.results import provenance
from pipelines.track_files import searching
from vcd.config import Settings, load_settings
from vcd.core import DescriptorSpace, SetupError
from vcd.core.codec import json_number
from vcd.descriptors import (
    BUNDLED_NAME,
    DescriptorRows,
    Fit,
    SpaceProfile,
    bundled_background,
    bundled_card,
    load_fit,
    open_arrays,
    read_descriptor_rows,
)
from vcd.evaluation.derived_rows import check_background, check_same_space
from vcd.evaluation.matching import Matching, MatchRules, checked_rows, match_as_checked
from vcd.evaluation.published_matching import match_as_published, published_rows

__all__ = ["FileMatcher", "open_file_matcher"]


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class FileMatcher:
    """Two descriptor files, and all that decides what is matched between them.

    Attributes:
        queries: the query file.
        refs: the reference file.
        background: footage that is no copy of any reference, as a descriptor file; None where
            there is none, or where it is a fit.
        fit: what is applied as in a check; None where there is none, or the protocol has its own.
        settings: with the thresholds of the space filled in.
    """

    queries: DescriptorRows
    refs: DescriptorRows
    background: DescriptorRows | None
    fit: Fit | None
    settings: Settings

    def match(self, folder: Path) -> Matching:
        """Find the matches; bar on stderr where it is a terminal.

        Args:
            folder: holds derived rows while it works.

        Raises:
            InputError: the rows of a video cannot be used; says which.
            SetupError: the folder cannot be written.
        """
        rules = MatchRules(
            match=self.settings.match, search=self.settings.search, align=self.settings.align
        )
        if not folder.is_dir():
            raise SetupError(f"{folder}: wanted a folder for derived rows, there is none")
        with tempfile.TemporaryDirectory(dir=folder, prefix=".vcd-match-") as name:
            inside = Path(name)
            if self.settings.match.protocol == "check":
                rows = checked_rows(self.queries, self.refs, self.fit, inside)
                with searching("matching") as tell:
                    return match_as_checked(rows, rules, tell)
            rows = published_rows(
                self.queries, self.refs, self.background, self.settings.fit, inside
            )
            with searching("matching") as tell:
                return match_as_published(rows, rules, tell)

    def provenance(self) -> dict[str, Any]:
        """Say what the matches were found with: versions, settings, digests of the files.

        Raises:
            InputError: a file cannot be read any more.
        """
        files = {"queries": self.queries, "references": self.refs}
        if self.background is not None:
            files["background"] = self.background
        settings = {
            f"{room}.{key}": json_number(value) if isinstance(value, float) else value
            for room in ("match", "search", "align", "fit")
            for key, value in asdict(getattr(self.settings, room)).items()
            if f"{room}.{key}" != "fit.background"
        }
        return {
            **provenance(
                inputs={role: rows.path for role, rows in files.items()},
                settings=settings,
                spaces={role: rows.space for role, rows in files.items()},
            ),
            "fit_digest": None if self.fit is None else self.fit.digest,
        }


def open_file_matcher(
    queries: Path,
    refs: Path,
    config: Path | None,
    overrides: Mapping[str, object],
    *,
    defaults: Mapping[str, object] | None = None,
) -> FileMatcher:
    """Open two descriptor files, and find the thresholds and the fit that belong to their space.

    Args:
        queries: the query file.
        refs: the reference file.
        config: settings file.
        overrides: what flags decide, by dotted key; ``fit.background`` is ``--background``.
        defaults: what stands in for a threshold of the space, by dotted key.

    Raises:
        InputError: a file is no descriptor file, the two are of different spaces, or the
            background holds a reference.
        SetupError: the settings are wrong, or a fit is of another space.
    """
    chosen = load_settings(config, overrides)
    query_rows, ref_rows = read_descriptor_rows(queries), read_descriptor_rows(refs)
    background = _background(chosen, ref_rows)
    fit = None
    if chosen.match.protocol == "check":
        fit = load_fit(chosen.fit, ref_rows.space)
    profile = _profile(ref_rows.space)
    if fit is not None:
        profile = fit.profile(profile)
    measured = profile_defaults(profile)
    settings = load_settings(config, overrides, defaults={**measured, **(defaults or {})})
    return FileMatcher(
        queries=query_rows, refs=ref_rows, background=background, fit=fit, settings=settings
    )


def _background(settings: Settings, refs: DescriptorRows) -> DescriptorRows | None:
    """Open the background where it is descriptors, and make sure that it holds no reference."""
    named = settings.fit.background
    if named in ("auto", "none"):
        return None
    if named == "bundled":
        return bundled_background()
    is_fit = "fit" in open_arrays(Path(named))
    if is_fit and settings.match.protocol == "check":
        return None
    background = read_descriptor_rows(Path(named))
    check_same_space(refs, background)
    check_background(background, refs)
    return background


def _profile(space: DescriptorSpace) -> SpaceProfile:
    """What a similarity means, as the weights have it; a file that does not say is of SSCD."""
    return bundled_card().profile if space.name == BUNDLED_NAME else SpaceProfile()
