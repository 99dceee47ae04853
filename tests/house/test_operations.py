"""Metrics, dashboard, alerts and the operator's page say the same."""

import dataclasses
import json
import re
import shlex
import shutil
import subprocess

import pytest
import yaml
from prometheus_client.parser import text_string_to_metric_families

from tests.factories import make_report
from tests.house.commands import assert_understood
from tests.house.house import ROOT, leaves, modules
from vcd.config import Settings
from vcd.stream.log import Partition
from vcd.stream.metrics import StreamMetrics

_PAGE = ROOT / "docs/operations.md"
_ALERTS = ROOT / "deploy/prometheus/alerts.yml"
_DASHBOARD = ROOT / "deploy/grafana/dashboards/vcd.json"
_GIVEN_LABELS = {"instance", "job", "le"}
"""By Prometheus, to every series."""


def _samples():
    """Name and labels of every sample of a worker of which everything is known."""
    metrics = StreamMetrics()
    metrics.upload_done("live", "report", 1.0)
    metrics.dead_letter("undecodable")
    metrics.retried("a")
    metrics.in_flight("live", 1)
    metrics.stage_elapsed("align", 1.0)
    metrics.lag(Partition("vcd.uploads", 0), 1)
    metrics.report(make_report())
    metrics.index_state(1, "v", 1, 0)
    text, _ = metrics.exposition()
    return {
        sample.name: set(sample.labels)
        for family in text_string_to_metric_families(text.decode())
        for sample in family.samples
    }


_SAMPLES = _samples()
_METRICS = {re.sub(r"_(?:bucket|sum|count)$", "", name) for name in _SAMPLES if "vcd_" in name}
_RULES = [
    rule for group in yaml.safe_load(_ALERTS.read_text())["groups"] for rule in group["rules"]
]
_BOARD = json.loads(_DASHBOARD.read_text())
_PANELS = [panel for panel in _BOARD["panels"] if panel["type"] != "row"]
_SHOWN = [target["expr"] for panel in _PANELS for target in panel["targets"]]
_EXPRESSIONS = [
    *(pytest.param(rule["expr"], id=rule["alert"]) for rule in _RULES),
    *(
        pytest.param(target["expr"], id=f"{panel['title']} {target['refId']}")
        for panel in _PANELS
        for target in panel["targets"]
    ),
    *(pytest.param(note["expr"], id=note["name"]) for note in _BOARD["annotations"]["list"]),
]


def _command_lines():
    """Every command of the page that leaves nothing out."""
    page = _PAGE.read_text()
    fenced = "\n".join(re.findall(r"^```\n(.*?)^```$", page, flags=re.MULTILINE | re.DOTALL))
    lines = re.findall(r"^(vcd [^#&\n]*)", fenced, flags=re.MULTILINE)
    lines += re.findall(r"(?<!`)`(vcd (?:[a-z-]+ ){1,2}[^`]*-[^`.]*)`", page)
    return sorted({re.sub(r"\[(.*?)\.*\]", r"\1", line).strip() for line in lines})


def _promtool(*words):
    found = shutil.which("promtool")
    if found is None:
        pytest.skip("no promtool (on Debian: apt install prometheus)")
    done = subprocess.run([found, *words], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout + done.stderr


def test_the_page_explains_every_metric():
    page = _PAGE.read_text()

    assert [name for name in sorted(_METRICS) if f"`{name}`" not in page] == []


def test_the_page_names_no_metric_that_there_is_not():
    named = set(re.findall(r"`((?:vcd|process)_\w+)", _PAGE.read_text()))

    assert named - _METRICS - set(_SAMPLES) - {"vcd_compact"} == set()


def test_the_dashboard_shows_every_metric():
    shown = " ".join(_SHOWN)

    assert [name for name in sorted(_METRICS) if not re.search(rf"\b{name}", shown)] == []


@pytest.mark.parametrize("expression", _EXPRESSIONS)
def test_an_expression_names_only_what_a_worker_shows(expression):
    named = set(re.findall(r"\b(?:vcd|process)_\w+", re.sub(r'"[^"]*"', '""', expression)))
    selectors = re.findall(r"\b((?:vcd|process)_\w+)\{([^}]*)\}", expression)
    grouped = re.findall(r"by \(([^)]*)\)", expression)

    assert named | set(re.findall(r"\bup\b", expression))
    assert named - set(_SAMPLES) == set()
    for name, selector in selectors:
        labels = set(re.findall(r"(\w+)\s*(?:=~|!~|!=|=)", selector))
        assert labels - _SAMPLES[name] - _GIVEN_LABELS == set()
    known = set().union(*(_SAMPLES[name] for name in named)) | _GIVEN_LABELS
    for labels in grouped:
        assert set(re.split(r",\s*", labels)) - known == set()


def test_every_alert_says_what_is_wrong_and_how_much_it_matters():
    for rule in _RULES:
        assert rule["labels"]["severity"] in {"page", "ticket"}
        assert len(rule["annotations"]["summary"]) > 20


def test_the_page_says_for_every_alert_what_to_do_and_for_no_other():
    page = _PAGE.read_text()

    headings = re.findall(r"^### (Vcd\w+)$", page, flags=re.MULTILINE)
    assert headings == [rule["alert"] for rule in _RULES]
    for name in headings:
        text = page.partition(f"### {name}\n")[2].partition("\n#")[0]
        assert "**Cause**" in text, name
        assert "**Do**" in text, name


def test_every_panel_is_explained_and_has_a_place_of_its_own():
    ids = [panel["id"] for panel in _BOARD["panels"]]
    cells = [
        (column, line)
        for panel in _BOARD["panels"]
        for column in range(panel["gridPos"]["x"], panel["gridPos"]["x"] + panel["gridPos"]["w"])
        for line in range(panel["gridPos"]["y"], panel["gridPos"]["y"] + panel["gridPos"]["h"])
    ]

    assert len(ids) == len(set(ids))
    assert len(cells) == len(set(cells))
    assert max(column for column, _ in cells) < 24
    assert [panel["title"] for panel in _PANELS if len(panel["description"]) < 15] == []


def test_every_panel_asks_the_data_that_are_provisioned():
    path = ROOT / "deploy/grafana/provisioning/datasources/prometheus.yml"
    (data,) = yaml.safe_load(path.read_text())["datasources"]

    assert {panel["datasource"]["uid"] for panel in _PANELS} == {data["uid"]}


def test_prometheus_takes_configuration_and_alerts():
    _promtool("check", "config", str(ROOT / "deploy/prometheus/prometheus.yml"))


def test_prometheus_understands_every_panel(tmp_path):
    rules = [
        {"record": f"panel:{number}", "expr": expression}
        for number, expression in enumerate(_SHOWN)
    ]
    path = tmp_path / "panels.yml"
    path.write_text(yaml.safe_dump({"groups": [{"name": "panels", "rules": rules}]}))

    _promtool("check", "rules", str(path))


def test_the_alerts_fire_when_they_should_and_only_then():
    _promtool("test", "rules", str(ROOT / "tests/house/alerts.test.yml"))


def test_the_page_says_for_every_reason_what_to_do():
    page = _PAGE.read_text()
    word = re.compile(r'reason="(\w+)"')
    used = {name for path in modules() for name in word.findall(path.read_text())}

    assert {"not_json", "not_allowed", "undecodable", "kills_worker"} <= used
    assert [name for name in sorted(used) if f"`{name}`" not in page] == []


def test_the_page_names_no_setting_that_there_is_not():
    rooms = [room.name for room in dataclasses.fields(Settings)]
    named = set(re.findall(rf"`((?:{'|'.join(rooms)})\.[a-z_]+)", _PAGE.read_text()))

    assert "stream.window" in named
    assert named - set(leaves(Settings())) == set()


@pytest.mark.parametrize("line", _command_lines())
def test_every_command_of_the_page_is_one_that_vcd_understands(line, monkeypatch):
    assert_understood(shlex.split(line)[1:], monkeypatch)
