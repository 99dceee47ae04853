"""The table of fault cases names tests that exist, on logs that they are written for."""

import ast
import re
from functools import cache

import pytest

from tests.house.house import ROOT

_PAGE = ROOT / "docs/design/fault_cases.md"
_ROWS = {
    int(number): tests
    for number, tests in re.findall(
        r"^\| (\d+) \|[^|]*\|[^|]*\| ([^|]*) \|$", _PAGE.read_text(), re.MULTILINE
    )
}
_NAMED = re.compile(r"`(tests/[\w/]+\.py)::(test_\w+)` (M|SK|S|K|C|-)(?=,|$)")


@cache
def _tests_in(path: str) -> frozenset[str]:
    file = ROOT / path
    if not file.is_file():
        return frozenset()
    nodes = ast.walk(ast.parse(file.read_text()))
    return frozenset(node.name for node in nodes if isinstance(node, ast.FunctionDef))


def test_there_are_twenty_cases_and_each_has_tests() -> None:
    assert sorted(_ROWS) == list(range(1, 21))
    assert all(_NAMED.search(tests) for tests in _ROWS.values())


@pytest.mark.parametrize("number", sorted(_ROWS))
def test_every_test_of_a_case_exists(number: int) -> None:
    named = _NAMED.findall(_ROWS[number])

    assert len(named) == _ROWS[number].count("::"), "every test has its log behind it"
    missing = [f"{path}::{name}" for path, name, _ in named if name not in _tests_in(path)]
    assert missing == []


@pytest.mark.parametrize("number", sorted(_ROWS))
def test_what_is_said_to_run_on_kafka_asks_for_a_broker(number: int) -> None:
    for path, name, log in _NAMED.findall(_ROWS[number]):
        if "K" in log and "log_contract" not in path:
            text = (ROOT / path).read_text()
            assert "mark.kafka" in text or "world" in text, f"{path}::{name}"
