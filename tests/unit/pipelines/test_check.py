from pathlib import Path

import pytest

from pipelines import check


@pytest.mark.parametrize("place", ["uploads", "uploads/new/evidence"])
def test_evidence_among_the_uploads_is_a_misuse_for_it_would_be_checked_next_time(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], place: str
) -> None:
    words = [tmp_path / "uploads", "--index", tmp_path / "i", "--evidence", tmp_path / place]

    with pytest.raises(SystemExit) as stopped:
        check.main([str(word) for word in words])

    assert stopped.value.code == 2
    assert "--evidence wants a folder outside" in capsys.readouterr().err
    assert not (tmp_path / place).exists()
