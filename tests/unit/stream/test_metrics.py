import math

import pytest
from prometheus_client.parser import text_string_to_metric_families

from tests.factories import make_match, make_report
from vcd.core import Interval, Skipped
from vcd.stream.log import Partition
from vcd.stream.metrics import StreamMetrics
from vcd.stream.series import MAX_REF_LABELS


@pytest.fixture
def metrics():
    return StreamMetrics()


def _families(metrics):
    text, _ = metrics.exposition()
    return list(text_string_to_metric_families(text.decode()))


def _value(metrics, name, **labels):
    """The sample of that name with these labels; None when there is none."""
    found = [
        sample.value
        for family in _families(metrics)
        for sample in family.samples
        if sample.name == name and labels.items() <= sample.labels.items()
    ]
    assert len(found) <= 1, f"{name} {labels} names {len(found)} series"
    return found[0] if found else None


def _report(*ref_ids, **changes):
    matches = tuple(make_match("upload", ref_id) for ref_id in ref_ids)
    return make_report(**{"matches": matches, **changes})


def test_every_name_begins_alike_ends_in_its_unit_and_is_explained(metrics):
    own = [family for family in _families(metrics) if not family.name.startswith("process_")]

    assert [family.name for family in own if not family.name.startswith("vcd_")] == []
    units = ("_seconds", "_records", "_info", "_total", "_owned", "_blocked", "_in_flight")
    counted = ("_references", "_offset", "_changes")
    named = [family.name + "_total" * (family.type == "counter") for family in own]
    assert [name for name in named if not name.endswith((*units, *counted))] == []
    assert [family.name for family in own if len(family.documentation) < 25] == []


def test_what_can_be_foreseen_starts_at_zero_so_that_its_first_increase_is_one(metrics):
    for outcome in ("report", "dead_letter", "known"):
        assert _value(metrics, "vcd_uploads_total", lane="live", outcome=outcome) == 0
    assert _value(metrics, "vcd_commits_total", outcome="failed") == 0
    assert _value(metrics, "vcd_partition_moves_total", kind="lost") == 0
    assert _value(metrics, "vcd_reports_total", verdict="refused") == 0


def test_an_upload_is_counted_and_its_time_measured(metrics):
    metrics.upload_done("live", "report", 0.3)
    metrics.upload_done("live", "dead_letter", 200.0)

    labels = {"lane": "live", "outcome": "report"}
    assert _value(metrics, "vcd_uploads_total", **labels) == 1
    assert _value(metrics, "vcd_upload_seconds_sum", **labels) == 0.3
    assert _value(metrics, "vcd_upload_seconds_bucket", le="0.25", **labels) == 0
    assert _value(metrics, "vcd_upload_seconds_bucket", le="0.5", **labels) == 1


def test_the_buckets_reach_from_ten_milliseconds_to_ten_minutes(metrics):
    metrics.stage_elapsed("align", 0.01)
    metrics.stage_elapsed("align", 600.0)

    name = "vcd_stage_seconds_bucket"
    assert _value(metrics, name, stage="align", le="0.01") == 1
    assert _value(metrics, name, stage="align", le="300.0") == 1
    assert _value(metrics, name, stage="align", le="600.0") == 2


def test_the_time_of_an_upload_that_was_done_before_is_not_measured(metrics):
    metrics.upload_done("live", "known", 0.0)

    assert _value(metrics, "vcd_uploads_total", lane="live", outcome="known") == 1
    assert _value(metrics, "vcd_upload_seconds_count", outcome="known") is None


def test_a_producer_whose_clock_is_ahead_costs_no_upload(metrics):
    metrics.upload_done("live", "report", -4.0)

    assert _value(metrics, "vcd_upload_seconds_sum", lane="live", outcome="report") == 0.0


def test_reasons_are_counted_one_by_one(metrics):
    metrics.dead_letter("not_json")
    metrics.dead_letter("not_json")
    metrics.dead_letter("")
    metrics.retried("fetch_failed")

    assert _value(metrics, "vcd_dead_letters_total", reason="not_json") == 2
    assert _value(metrics, "vcd_dead_letters_total", reason="unknown") == 1
    assert _value(metrics, "vcd_retries_total", reason="fetch_failed") == 1


def test_each_try_of_a_decoder_that_fails_is_counted_by_its_class_and_no_other_trouble(metrics):
    metrics.retried("decoder_died")
    metrics.dead_letter("decoder_died")
    metrics.dead_letter("undecodable")
    metrics.dead_letter("not_found")

    (failures,) = [one for one in _families(metrics) if one.name == "vcd_decode_failures"]
    told = {sample.labels["reason"]: sample.value for sample in failures.samples}
    assert told == {"decoder_died": 2, "undecodable": 1}


def test_partitions_are_gained_and_go(metrics):
    metrics.rebalanced("gained", 4)
    metrics.rebalanced("released", 1)
    metrics.rebalanced("lost", 2)

    assert _value(metrics, "vcd_partitions_owned") == 1
    assert _value(metrics, "vcd_partition_moves_total", kind="gained") == 4
    assert _value(metrics, "vcd_partition_moves_total", kind="lost") == 2


def test_the_lag_of_a_partition_that_went_is_told_no_more(metrics):
    metrics.lag(Partition("vcd.uploads", 3), 17)
    told = _value(metrics, "vcd_lag_records", topic="vcd.uploads", partition="3")

    metrics.rebalanced("released", 1)

    assert told == 17
    assert _value(metrics, "vcd_lag_records") is None


def test_a_gain_forgets_no_lag(metrics):
    metrics.lag(Partition("vcd.uploads", 3), 17)

    metrics.rebalanced("gained", 1)

    assert _value(metrics, "vcd_lag_records", topic="vcd.uploads", partition="3") == 17


def test_commits_blocked_partitions_and_uploads_in_flight_are_told(metrics):
    metrics.committed(ok=True)
    metrics.committed(ok=False)
    metrics.blocked(2)
    metrics.in_flight("backfill", 7)

    assert _value(metrics, "vcd_commits_total", outcome="kept") == 1
    assert _value(metrics, "vcd_commits_total", outcome="failed") == 1
    assert _value(metrics, "vcd_partitions_blocked") == 2
    assert _value(metrics, "vcd_uploads_in_flight", lane="backfill") == 7


def test_a_report_is_counted_by_reference_and_by_what_was_looked_at(metrics):
    metrics.report(
        _report(
            "harbour",
            "orchard",
            "harbour",
            examined=(Interval(0.0, 10.0), Interval(12.0, 20.0)),
            skipped=(Skipped(interval=Interval(10.0, 12.0), reason="undecodable"),),
        )
    )

    assert _value(metrics, "vcd_matches_total", ref_id="harbour") == 2
    assert _value(metrics, "vcd_matches_total", ref_id="orchard") == 1
    assert _value(metrics, "vcd_examined_seconds_total") == 18
    assert _value(metrics, "vcd_skipped_seconds_total", reason="undecodable") == 2


@pytest.mark.parametrize(
    ("report", "verdict"),
    [
        pytest.param(_report("harbour"), "match", id="copied"),
        pytest.param(_report(), "no_match", id="looked, found none"),
        pytest.param(_report(refused="not a video", examined=()), "refused", id="could not look"),
    ],
)
def test_could_not_look_is_never_counted_as_no_match(metrics, report, verdict):
    metrics.report(report)

    told = {
        name: _value(metrics, "vcd_reports_total", verdict=name)
        for name in ("match", "no_match", "refused")
    }
    assert told == {"match": 0, "no_match": 0, "refused": 0, verdict: 1}


def test_references_beyond_a_thousand_are_counted_together(metrics):
    many = tuple(f"ref-{number}" for number in range(MAX_REF_LABELS + 20))

    metrics.report(_report(*many))
    metrics.report(_report("ref-0"))

    (matches,) = [family for family in _families(metrics) if family.name == "vcd_matches"]
    assert len(matches.samples) == MAX_REF_LABELS + 1
    assert _value(metrics, "vcd_matches_total", ref_id="other") == 20
    assert _value(metrics, "vcd_matches_total", ref_id="ref-0") == 2


@pytest.mark.parametrize("ref_id", ["half a pair \udc80", "x" * 10_000, 'quote " and\nline'])
def test_no_id_of_a_reference_breaks_a_scrape(metrics, ref_id):
    metrics.report(_report(ref_id))

    (matches,) = [family for family in _families(metrics) if family.name == "vcd_matches"]
    (sample,) = matches.samples
    assert len(sample.labels["ref_id"]) <= 160
    assert sample.value == 1


def test_one_index_version_is_told_at_a_time(metrics):
    metrics.index_state(3, "old", 10, 2)
    metrics.index_state(4, "new", 12, 0)

    assert _value(metrics, "vcd_index_info", version="old") is None
    assert _value(metrics, "vcd_index_info", version="new") == 1
    assert _value(metrics, "vcd_index_references") == 4
    assert _value(metrics, "vcd_index_offset") == 12
    assert _value(metrics, "vcd_index_pending_changes") == 0


def test_the_age_of_the_index_is_asked_at_each_scrape(metrics):
    ages = iter([None, 1.5, 7.0])
    before_anybody_told = _value(metrics, "vcd_index_age_seconds")

    metrics.index_age(lambda: next(ages))

    assert before_anybody_told == math.inf
    told = [_value(metrics, "vcd_index_age_seconds") for _ in range(3)]
    assert told == [math.inf, 1.5, 7.0]


def test_whoever_wants_to_is_asked_before_each_scrape(metrics):
    numbers = iter([3, 5])
    metrics.before_each_scrape(lambda: metrics.index_state(next(numbers), "v", 0, 0))

    told = [_value(metrics, "vcd_index_references") for _ in range(2)]

    assert told == [3, 5]


def test_two_workers_in_one_process_do_not_mix(metrics):
    other = StreamMetrics()

    metrics.dead_letter("not_json")

    assert _value(other, "vcd_dead_letters_total", reason="not_json") is None


def test_memory_and_open_files_of_the_process_are_told(metrics):
    assert (_value(metrics, "process_resident_memory_bytes") or 0) > 0
    assert (_value(metrics, "process_open_fds") or 0) > 0


def test_the_form_follows_what_is_asked_for(metrics):
    plain, plain_type = metrics.exposition()
    metrics_type = "application/openmetrics-text; version=1.0.0"
    open_text, open_type = metrics.exposition(metrics_type)

    assert plain_type.startswith("text/plain")
    assert open_type.startswith("application/openmetrics-text")
    assert not plain.endswith(b"# EOF\n")
    assert open_text.endswith(b"# EOF\n")
