"""`vcd verify`: make evidence again from the media and the index, and say whether it agrees."""

import argparse
import contextlib
import json
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

from pipelines import console
from pipelines.cli import EXIT_DONE, EXIT_FAILED, EXIT_PARTLY_DONE, verb_parser
from pipelines.detection import open_dense_pool
from pipelines.verify_claims import Claim, Verdict, read_claims
from pipelines.verify_rebuild import Rebuilder, matched_ids
from pipelines.verify_terms import check_fit, open_recorded_terms
from vcd.core import SetupError
from vcd.evidence import EvidenceRecord, Terms, differences
from vcd.search import IndexInfo, open_stored, read_exact_manifest
from vcd.search.manifest import Manifest

__all__ = ["main"]

_ABOUT = """\
Make evidence again from the media and the index, and say whether it agrees.

  vcd verify evidence/ --index refs.index

EVIDENCE is a folder that `vcd check --evidence` wrote, one upload's folder in it, or the
evidence.json of that. Of each upload it is said: agrees, disagrees (with every difference), or
cannot be looked at. The upload is decoded and described anew and matched against the references
that its matches name, under the recorded settings; other references may have come and gone since.
What was rejected depends on those, and is not compared; nor is what pictures show: they are held by
the digests in evidence.json, which is not signed. Exit: 0 all agree, 1 some disagree,
3 some could not be looked at."""


def main(argv: Sequence[str]) -> int:
    """Run the verb; see ``vcd verify --help``."""
    arguments = _parse(argv)
    claims = read_claims(arguments.evidence, arguments.media or [])
    with console.progress("verifying", total=len(claims)) as progress:
        for claim in _verified(claims, arguments):
            progress.advance(claim.name)
    _publish(arguments, claims)
    counts = [sum(claim.verdict is verdict for claim in claims) for verdict in Verdict]
    told = "{} agree, {} disagree, {} cannot be looked at".format(*counts)
    console.say(f"{console.counted(len(claims), 'upload')}: {told}")
    return _exit_code(claims)


def _verified(claims: Sequence[Claim], arguments: argparse.Namespace) -> Iterator[Claim]:
    """Look at the index once, and at the uploads of equal terms together."""
    waiting = [claim for claim in claims if not claim.is_settled]
    manifest = _look_at_index(waiting, arguments.index) if waiting else None
    for claim in claims:
        if claim.is_settled:
            yield claim
    if manifest is not None:
        for group in _of_equal_terms([claim for claim in waiting if not claim.is_settled]):
            yield from _rebuilt(group, manifest, arguments)


def _look_at_index(claims: Sequence[Claim], index: Path) -> Manifest | None:
    """Settle the claims that lean on a part of the index that is damaged or missing."""
    try:
        manifest = read_exact_manifest(index)
        check_fit(index)
    except SetupError as error:
        for claim in claims:
            _settle(claim, error)
        return None
    info = IndexInfo.from_manifest(manifest)
    for claim in claims:
        claim.look_for_refs(info)
        try:
            open_stored(index, manifest, matched_ids(claim.known))
        except SetupError as error:
            _settle(claim, error)
    return manifest


def _rebuilt(
    group: Sequence[Claim], manifest: Manifest, arguments: argparse.Namespace
) -> Iterator[Claim]:
    """Make the evidence of uploads of equal terms and different ids again."""
    info = IndexInfo.from_manifest(manifest)
    with contextlib.ExitStack() as stack:
        try:
            matcher = stack.enter_context(
                open_recorded_terms(arguments.config, arguments.index, info, group[0].known.terms)
            )
        except SetupError as error:
            for claim in group:
                claim.cannot(str(error))
                yield claim
            return
        ref_ids = {ref_id for claim in group for ref_id in matched_ids(claim.known)}
        rebuilder = Rebuilder(
            matcher=matcher,
            info=info,
            stored=open_stored(arguments.index, manifest, ref_ids),
            dense_pool=stack.enter_context(open_dense_pool(arguments.config)),
        )
        by_id = {}
        for claim in group:
            found = rebuilder.other_terms(claim.known)
            if found:
                claim.settle(found)
                yield claim
            else:
                by_id[claim.known.report.query_id] = claim
        for query_id, again in rebuilder.rebuilt(by_id):
            claim = by_id[query_id]
            if isinstance(again, str):
                claim.cannot(again)
            else:
                claim.note_since(again, manifest.version)
                claim.settle(differences(claim.known, again))
            yield claim


def _settle(claim: Claim, error: SetupError) -> None:
    """Settle by what is wrong with the index: a file that is not there says nothing."""
    if isinstance(error.__cause__, OSError):
        claim.cannot(str(error))
    else:
        claim.settle((str(error),))


def _of_equal_terms(claims: Sequence[Claim]) -> Iterator[list[Claim]]:
    """Group what one detector can make again; an id is in each group only once."""
    groups: dict[tuple[str, int], list[Claim]] = {}
    seen: dict[tuple[str, str], int] = {}
    for claim in claims:
        key = _key(claim.known.terms)
        place = (key, claim.known.report.query_id)
        seen[place] = seen.get(place, 0) + 1
        groups.setdefault((key, seen[place]), []).append(claim)
    yield from groups.values()


def _key(terms: Terms) -> str:
    named = (dict(terms.settings), terms.fit_digest, terms.factory, terms.rate_hz, terms.weights)
    return json.dumps(named, sort_keys=True, default=str)


def _exit_code(claims: Sequence[Claim]) -> int:
    verdicts = {claim.verdict for claim in claims}
    if Verdict.DISAGREES in verdicts:
        return EXIT_FAILED
    return EXIT_PARTLY_DONE if Verdict.CANNOT in verdicts else EXIT_DONE


def _publish(arguments: argparse.Namespace, claims: Sequence[Claim]) -> None:
    if arguments.json:
        console.print_json(
            {
                "uploads": [_document(claim) for claim in claims],
                "summary": {
                    verdict.name.lower(): sum(claim.verdict is verdict for claim in claims)
                    for verdict in Verdict
                },
            }
        )
        return
    for claim in claims:
        print(f"{claim.name}: {claim.verdict.value}{_matches_of(claim)}")
        for sentence in claim.sentences:
            print(f"  {sentence}")
        for note in claim.notes:
            print(f"  note: {note}")


def _matches_of(claim: Claim) -> str:
    if claim.record is None or claim.verdict is not Verdict.AGREES:
        return ""
    return f" ({console.counted(len(claim.record.report.matches), 'match')})"


def _document(claim: Claim) -> dict[str, Any]:
    record: EvidenceRecord | None = claim.record
    return {
        "evidence": str(claim.folder),
        "query_id": None if record is None else record.report.query_id,
        "evidence_digest": None if record is None else record.digest,
        "num_matches": None if record is None else len(record.report.matches),
        "verdict": claim.verdict.name.lower(),
        "sentences": list(claim.sentences),
        "notes": list(claim.notes),
    }


def _parse(argv: Sequence[str]) -> argparse.Namespace:
    parser = verb_parser("verify", _ABOUT)
    parser.add_argument(
        "evidence", nargs="+", type=Path, metavar="EVIDENCE", help="folders or evidence.json"
    )
    parser.add_argument("--index", required=True, type=Path, metavar="DIR", help="the references")
    parser.add_argument(
        "--media",
        nargs="+",
        type=Path,
        metavar="PATH",
        help="where uploads are that are not at their place any more",
    )
    parser.add_argument("--json", action="store_true", help="print verdicts as JSON")
    return parser.parse_args(argv)
