"""Where things are, and what settings say of themselves: read from the source, not imported."""

import ast
import dataclasses
import importlib
import inspect
import re
import subprocess
import textwrap
from pathlib import Path
from typing import Any

ROOT = Path(__file__).parents[2]
PACKAGES = ("vcd", "pipelines")


def modules() -> list[Path]:
    """Every module of the packages."""
    return sorted(path for package in PACKAGES for path in (ROOT / package).rglob("*.py"))


def own_files() -> list[Path]:
    """Every file that git tracks or would, or, without git, every file of the known folders."""
    command = ["git", "ls-files", "--cached", "--others", "--exclude-standard"]
    try:
        listed = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=True)
    except (OSError, subprocess.CalledProcessError):
        folders = (*PACKAGES, "tests", "docs", "configs", "benchmarks")
        inside = [path for folder in folders for path in (ROOT / folder).rglob("*")]
        return sorted(path for path in (*inside, *ROOT.glob("*")) if path.is_file())
    return sorted(ROOT / name for name in listed.stdout.splitlines() if (ROOT / name).is_file())


def text_of(path: Path) -> str | None:
    """Read a file; None when it is not text."""
    try:
        return path.read_text(encoding="utf-8")
    except UnicodeDecodeError:
        return None


def dotted(path: Path) -> str:
    """``vcd/core/codec.py`` -> ``vcd.core.codec``."""
    parts = path.relative_to(ROOT).with_suffix("").parts
    return ".".join(parts[:-1] if parts[-1] == "__init__" else parts)


def field_docs(settings: type) -> dict[str, str]:
    """Read what a settings class says of its fields: a string below each, or ``Attributes``."""
    (body,) = ast.parse(textwrap.dedent(inspect.getsource(settings))).body
    assert isinstance(body, ast.ClassDef)
    docs = _attributes(ast.get_docstring(body) or "")
    for node, below in zip(body.body, body.body[1:], strict=False):
        if (
            isinstance(node, ast.AnnAssign)
            and isinstance(node.target, ast.Name)
            and isinstance(below, ast.Expr)
            and isinstance(below.value, ast.Constant)
        ):
            docs[node.target.id] = " ".join(str(below.value.value).split())
    return docs


def _attributes(docstring: str) -> dict[str, str]:
    _, _, section = docstring.partition("Attributes:\n")
    entries = re.findall(r"^    (\w+): (.*(?:\n {8}.*)*)", section, flags=re.MULTILINE)
    return {name: " ".join(text.split()) for name, text in entries}


def leaves(settings: Any, at: str = "") -> dict[str, tuple[type, str, Any]]:
    """List every setting of a tree: dotted key -> (class, field, value)."""
    found: dict[str, tuple[type, str, Any]] = {}
    for field in dataclasses.fields(settings):
        value = getattr(settings, field.name)
        if dataclasses.is_dataclass(value):
            found |= leaves(value, f"{at}{field.name}.")
        else:
            found[f"{at}{field.name}"] = (type(settings), field.name, value)
    return found


def settings_classes() -> list[type]:
    """Every dataclass of every room's ``settings.py``."""
    names = [dotted(path) for path in modules() if path.name == "settings.py"]
    return [
        value
        for name in names
        for value in vars(importlib.import_module(name)).values()
        if isinstance(value, type) and dataclasses.is_dataclass(value) and value.__module__ == name
    ]
