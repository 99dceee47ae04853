"""Make the evidence of uploads again, from their files and the references that were matched."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field

from pipelines.check_evidence import prepared, terms_of
from pipelines.detection import denser_for, requests_for
from pipelines.evidence_bundle import map_of
from pipelines.items import Item, Items
from pipelines.matching import Matcher
from pipelines.verify_claims import Claim
from vcd.core import Descriptors, DescriptorSpace, Examination
from vcd.evidence import EvidenceRecord, Rebuilt, RefRecord, term_differences
from vcd.media import DecodePool
from vcd.search import ExactIndex, IndexInfo, descriptor_digest
from vcd.search.references import MappedReferences

__all__ = ["Rebuilder", "matched_ids"]


def matched_ids(record: EvidenceRecord) -> list[str]:
    """List the references that the matches of a record name."""
    return [ref.video.id for ref in record.refs]


@dataclass(kw_only=True)
class Rebuilder:
    """Makes evidence again under the terms of one detector.

    Attributes:
        matcher: as it was when the evidence was made.
        info: what is in the index.
        stored: the matched references as they lie on disk.
        dense_pool: decodes stretches again, for finer bounds.
    """

    matcher: Matcher
    info: IndexInfo
    stored: MappedReferences
    dense_pool: DecodePool
    _refs: dict[str, RefRecord] = field(default_factory=dict)

    def other_terms(self, record: EvidenceRecord) -> tuple[str, ...]:
        """Say what cannot be made again as it was: nothing is compared under other terms."""
        detector = self.matcher.detector
        found = [*term_differences(record.terms, terms_of(self.matcher, self.info))]
        spaces = {
            "the space of the weights": (self.info.space, detector.describer.space),
            "the space of the index": (record.report.space, self._space),
        }
        found += [
            f"{name}: {recorded} recorded, {now} found"
            for name, (recorded, now) in spaces.items()
            if recorded != now
        ]
        return tuple(found)

    def rebuilt(self, claims: Mapping[str, Claim]) -> Iterator[tuple[str, Rebuilt | str]]:
        """Decode, describe and match each upload again.

        Args:
            claims: by the id of the upload; its file was found, and every matched reference.

        Yields:
            Id and evidence, or id and why the file cannot be looked at.
        """
        late: list[Examination] = []
        found = tuple(Item(id=id_, path=claim.file) for id_, claim in claims.items())
        requests = requests_for(
            Items(found=found),
            self.matcher.detector,
            rate_hz=self.info.rate_hz,
            is_wanted=lambda _item, _sha256: True,
            on_refused=late.append,
        )
        for examination, descriptors in self.matcher.detector.describe(requests):
            record = claims[examination.video_id].known
            if examination.refused is not None and record.report.refused is None:
                yield examination.video_id, examination.refused
            else:
                yield examination.video_id, self._one(record, examination, descriptors)
        for examination in late:
            yield examination.video_id, examination.refused or "it cannot be read"

    @property
    def _space(self) -> DescriptorSpace:
        fit = self.matcher.detector.fit
        return self.info.space if fit is None else fit.fitted_space

    def ref(self, ref_id: str) -> RefRecord:
        """Say what the index holds of a reference, its digest made of the bytes on disk."""
        if ref_id not in self._refs:
            known = self.info.by_id[ref_id]
            self._refs[ref_id] = RefRecord(
                video=known.video,
                descriptor_digest=descriptor_digest(self.stored.stored_descriptors(ref_id)),
                excluded=known.excluded,
            )
        return self._refs[ref_id]

    def _one(
        self, record: EvidenceRecord, examination: Examination, descriptors: Descriptors
    ) -> Rebuilt:
        ref_ids = matched_ids(record)
        index = self._index(ref_ids)
        denser = None
        if examination.refused is None:
            denser = denser_for(self.matcher.detector, self.dense_pool, examination, descriptors)
        report = self.matcher.detector.match(examination, descriptors, index, denser=denser)
        sizes = [max(each.map.similarity_QR.shape) for each in record.matches]
        query = prepared(self.matcher, descriptors) if report.matches else descriptors
        return Rebuilt(
            report=report,
            maps=tuple(
                map_of(match, query, index, max_cells=max(sizes)) for match in report.matches
            ),
            refs=tuple(self.ref(ref_id) for ref_id in ref_ids),
            terms=terms_of(self.matcher, self.info),
            query=examination.video,
        )

    def _index(self, ref_ids: list[str]) -> ExactIndex:
        """Hold the references in memory, as they are searched: what is excluded is zero."""
        fit = self.matcher.detector.fit
        refs = [self.stored.descriptors(ref_id) for ref_id in ref_ids]
        if fit is not None:
            refs = [fit.prepare_ref(ref) for ref in refs]
        return ExactIndex(refs, space=self._space)
