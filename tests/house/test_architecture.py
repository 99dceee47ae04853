"""The house keeps its own rules; each rule is a test, so that it is nobody's goodwill."""

import ast
import importlib
import re
import subprocess
import sys

import pytest

from tests.house.house import PACKAGES, ROOT, dotted, modules, own_files, text_of

_HEAVY = (
    "av",
    "decord",
    "faiss",
    "kafka",
    "onnx",
    "onnxruntime",
    "pyarrow",
    "scipy",
    "torch",
    "torchvision",
)
_MACHINE_PATH = re.compile(r"/(?:work|root|home|Users|tmp/[a-z]+_jobs)/\w")
_PACKAGE_INDEX = re.compile(r"https?://\S*(?:pypi|/simple\b)")
_MAX_LINES = 300


@pytest.mark.parametrize("path", modules(), ids=dotted)
def test_a_module_says_what_it_is_and_fits_in_the_head(path):
    text = path.read_text()

    docstring = ast.get_docstring(ast.parse(text)) or ""
    assert docstring, "no docstring"
    assert docstring.partition("\n")[0].endswith((".", "!", "?")), "not a sentence"
    assert len(text.splitlines()) <= _MAX_LINES


def test_no_module_has_a_name_that_says_nothing():
    empty = {
        "utils",
        "util",
        "common",
        "helpers",
        "helper",
        "misc",
        "base",
        "manager",
        "core_utils",
    }

    assert [path for path in modules() if path.stem in empty or path.parent.name in empty] == []


@pytest.mark.parametrize("path", modules(), ids=dotted)
def test_all_names_what_is_there(path):
    module = ast.parse(path.read_text())
    (names,) = [
        ast.literal_eval(node.value)
        for node in module.body
        if isinstance(node, ast.Assign) and ast.unparse(node.targets[0]) == "__all__"
    ] or [None]
    if names is None:
        assert path.name == "__init__.py", "no __all__"
        names = []

    loaded = vars(importlib.import_module(dotted(path)))
    assert len(names) == len(set(names))
    assert [name for name in names if name not in loaded] == []
    if path.name == "__init__.py":
        imported = [
            alias.asname or alias.name
            for node in module.body
            if isinstance(node, ast.ImportFrom)
            for alias in node.names
        ]
        assert sorted(imported) == sorted(set(names) - {"__version__"})


def _rooms() -> list[str]:
    return [dotted(path) for path in modules() if path.name == "__init__.py"]


def _loaded(code: str) -> set[str]:
    """Run code in a fresh Python and list the modules that it has loaded."""
    script = f"import sys\n{code}\nprint('\\n'.join(sys.modules), file=sys.stderr)"
    result = subprocess.run(
        [sys.executable, "-c", script], cwd=ROOT, capture_output=True, text=True, check=True
    )
    return set(result.stderr.split())


@pytest.mark.parametrize("room", [*_rooms(), "vcd.config", "vcd.detector", "pipelines.cli"])
def test_importing_a_room_loads_nothing_heavy(room):
    loaded = _loaded(f"import {room}")

    assert loaded.isdisjoint(_HEAVY)
    assert "pydantic" not in loaded


def test_loading_the_settings_loads_pydantic_and_nothing_heavier():
    loaded = _loaded("from vcd.config import load_settings; load_settings(None, {})")

    assert "pydantic" in loaded
    assert loaded.isdisjoint(_HEAVY)


def test_the_readme_names_every_room():
    readme = (ROOT / "README.md").read_text()
    rooms = [path.parent for path in modules() if path.name == "__init__.py"]
    shown = [f"{room.name}/" for room in rooms] + [
        f"{folder}/" for folder in ("tests", "docs", "configs", "benchmarks")
    ]

    assert [room for room in shown if room not in readme] == []


def test_no_file_knows_the_machine_it_was_written_on():
    wrong = [
        f"{path.relative_to(ROOT)}: {found.group()}"
        for path in own_files()
        if (text := text_of(path)) is not None
        for found in (*_MACHINE_PATH.finditer(text), *_PACKAGE_INDEX.finditer(text))
    ]

    assert wrong == []


_SILENCERS = {
    "noqa": (re.compile(r"#\s*noqa\b(.*)"), re.compile(r": [A-Z]+\d+(, ?[A-Z]+\d+)*  # \S.*")),
    "type: ignore": (re.compile(r"#\s*type:\s*ignore\b(.*)"), re.compile(r"\[[\w, -]+\]  # \S.*")),
}
_MOST_SILENCERS = {"noqa": 12, "type: ignore": 12}
"""May only fall. Whoever takes one away lowers the number."""


@pytest.mark.parametrize("kind", _SILENCERS)
def test_what_silences_a_checker_has_a_code_and_a_reason_and_grows_no_more(kind):
    mention, form = _SILENCERS[kind]
    found = [
        (f"{path.relative_to(ROOT)}:{number}", rest.group(1))
        for folder in (*PACKAGES, "tests", "benchmarks")
        for path in sorted((ROOT / folder).rglob("*.py"))
        if path.parent.name != "house"
        for number, line in enumerate(path.read_text().splitlines(), start=1)
        if (rest := mention.search(line))
    ]

    assert [place for place, rest in found if not form.fullmatch(rest)] == []
    assert len(found) <= _MOST_SILENCERS[kind], [place for place, _ in found]


def test_every_rule_and_every_reason_is_in_the_glossary():
    glossary = (ROOT / "docs/glossary.md").read_text()
    word = re.compile(r'(?:reason=|rule, value, limit = |_rejection\([^"]*)"(\w+)"')
    used = {name for path in modules() for name in word.findall(path.read_text())}

    assert {"undecodable", "min_length", "min_pair_hits"} <= used
    assert [name for name in sorted(used) if f"| `{name}` |" not in glossary] == []


def test_every_kind_of_hint_is_in_the_glossary():
    glossary = (ROOT / "docs/glossary.md").read_text()
    word = re.compile(r'(?:Hint\(\s*kind=|View\.[A-Z]+: )"(\w+)"')
    used = {name for path in modules() for name in word.findall(path.read_text())}

    assert {"mirrored", "padded", "speed"} <= used
    assert [name for name in sorted(used) if f"| `{name}` |" not in glossary] == []
