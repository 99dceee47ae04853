import pytest

from tests.factories import make_match, make_report


def test_matches_of_a_report_are_best_first():
    with pytest.raises(ValueError, match="upload: matches are not best first"):
        make_report(matches=(make_match(score=0.5), make_match(score=0.9)))


def test_a_refused_query_cannot_have_been_examined():
    with pytest.raises(ValueError, match="upload: refused, and yet something was examined"):
        make_report(refused="upload.mp4: empty file")


def test_identity_does_not_depend_on_how_long_it_took():
    assert make_report(elapsed_s={"search": 1.0}).identity == make_report(elapsed_s={}).identity


@pytest.mark.parametrize("part", ["query_id", "query_sha256", "index_version", "settings_digest"])
def test_identity_depends_on(part):
    assert make_report(**{part: "another"}).identity != make_report().identity


def test_nobody_can_change_what_a_report_says_of_its_time():
    elapsed_s = {"search": 1.0}
    report = make_report(elapsed_s=elapsed_s)

    elapsed_s["search"] = 2.0

    assert report.elapsed_s["search"] == 1.0
