"""Sizes and manners of the package; the direction of imports is import-linter's."""

from __future__ import annotations

import ast
from pathlib import Path

import pytest

PACKAGE = Path(__file__).resolve().parent.parent / "tabnet_auto"
FILES = sorted(PACKAGE.rglob("*.py"))
MODULES = {path.stem for path in PACKAGE.iterdir() if not path.stem.startswith("_")}
MAX_FUNCTION = 50
MAX_FILE = 400

every_file = pytest.mark.parametrize(
    "path", FILES, ids=[path.relative_to(PACKAGE).as_posix() for path in FILES]
)


def parse(path):
    return ast.parse(path.read_text(encoding="utf-8"))


def lines_without_docstring(function):
    lines = function.end_lineno - function.lineno + 1
    if ast.get_docstring(function) is not None:
        docstring = function.body[0]
        lines -= docstring.end_lineno - docstring.lineno + 1
    return lines


@every_file
def test_sizes(path):
    functions = [
        node
        for node in ast.walk(parse(path))
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef)
    ]
    long = {
        f"{function.name}, line {function.lineno}": lines_without_docstring(function)
        for function in functions
        if lines_without_docstring(function) > MAX_FUNCTION
    }
    assert not long, f"functions of more than {MAX_FUNCTION} lines: split them"
    n_lines = len(path.read_text(encoding="utf-8").splitlines())
    assert n_lines <= MAX_FILE, f"files have at most {MAX_FILE} lines: move a duty out"


@every_file
def test_imports_name_a_module_not_the_root(path):
    for node in ast.walk(parse(path)):
        if isinstance(node, ast.ImportFrom):
            assert node.level == 0, f"line {node.lineno}: relative import"
            if node.module == "tabnet_auto":
                names = {alias.name for alias in node.names}
                assert names <= MODULES, f"line {node.lineno}: imports the package root"
        elif isinstance(node, ast.Import):
            names = {alias.name for alias in node.names}
            assert "tabnet_auto" not in names, f"line {node.lineno}: imports the package root"


@every_file
def test_only_the_command_line_prints(path):
    if path.name == "cli.py":
        return
    for node in ast.walk(parse(path)):
        if isinstance(node, ast.Call) and isinstance(node.func, ast.Name):
            assert node.func.id != "print", f"line {node.lineno}: say it with an Event"


def test_the_rules_bite():
    tree = ast.parse('def f():\n    """One.\n\n    Two.\n    """\n    return 1\n')
    assert lines_without_docstring(tree.body[0]) == 2
