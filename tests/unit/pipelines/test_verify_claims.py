from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from pipelines.verify_claims import Claim
from tests.evidence_records import make_evidence
from tests.factories import make_report


@pytest.mark.parametrize("is_found", [True, False])
def test_without_a_recorded_match_it_is_said_that_no_reference_was_looked_at(is_found):
    record = (
        make_evidence()
        if is_found
        else make_evidence(report=make_report(matches=()), refs=(), matches=(), query=None)
    )
    claim = Claim(folder=Path("evidence"), record=record)
    again: Any = SimpleNamespace(report=record.report)

    claim.note_since(again, record.report.index_version)

    said = "no match was recorded: whether there is one was not looked at"
    assert (said in claim.notes) is not is_found
