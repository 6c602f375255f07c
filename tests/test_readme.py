"""What the README shows is executed: python blocks in one namespace, commands as commands."""

from __future__ import annotations

import re
import shlex
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from tabnet_auto.data import titanic_path

README = Path(__file__).resolve().parent.parent / "README.md"
FENCE = re.compile(r"^```(\w*)[^\n]*\n(.*?)^```\s*$", re.MULTILINE | re.DOTALL)
EXEMPT = re.compile(r"<!-- not executed: \S.*?-->\s*\Z", re.DOTALL)


def blocks(text):
    """The blocks to execute: language, code, and the number of the line above the code."""
    return [
        (match[1], match[2], text.count("\n", 0, match.start(2)))
        for match in FENCE.finditer(text)
        if match[1] in ("python", "bash") and not EXEMPT.search(text[: match.start()])
    ]


def run_python(code, line, namespace):
    """Run a block; tracebacks and warnings point at the README's own lines."""
    exec(compile("\n" * line + code, str(README), "exec", dont_inherit=True), namespace)


def run_commands(code, line):
    """Run the block's ``tabnet-auto`` commands; how to install and clone is left to people."""
    for command in code.replace("\\\n", " ").splitlines():
        words = shlex.split(command.removeprefix("$ "), comments=True)
        if words[:1] != ["tabnet-auto"]:
            continue
        done = subprocess.run(
            [sys.executable, "-m", "tabnet_auto", *words[1:]],
            capture_output=True,
            text=True,
            check=False,
            stdin=subprocess.DEVNULL,
        )
        assert done.returncode == 0, f"README block at line {line}: {command}\n{done.stderr}"


def test_readme(tmp_path, monkeypatch):
    """Blocks run in order, beside train.csv, test.csv and sample_submission.csv of the Titanic."""
    for name in ("train", "test", "sample_submission"):
        shutil.copy(titanic_path(name), tmp_path)
    monkeypatch.chdir(tmp_path)
    namespace = {"__name__": "readme"}
    found = blocks(README.read_text(encoding="utf-8"))
    assert found, "the README shows nothing that can be executed"
    for language, code, line in found:
        if language == "python":
            run_python(code, line, namespace)
        else:
            run_commands(code, line)


class TestBlocks:
    def test_languages_order_and_lines(self):
        text = "a\n```python\nx = 1\n```\n```text\nno\n```\n```bash\ntabnet-auto demo\n```\n"
        assert blocks(text) == [("python", "x = 1\n", 2), ("bash", "tabnet-auto demo\n", 8)]

    def test_an_exempt_block_says_why(self):
        block = "```python\n1 / 0\n```\n"
        assert blocks(f"<!-- not executed: needs Kaggle -->\n{block}") == []
        assert len(blocks(f"<!-- not executed: -->\n{block}")) == 1
        assert len(blocks(f"<!-- not executed: needs Kaggle -->\n\ntext\n\n{block}")) == 1

    def test_a_wrong_block_fails(self):
        with pytest.raises(ZeroDivisionError):
            run_python("1 / 0\n", 3, {})
        with pytest.raises(AssertionError, match="line 3"):
            run_commands("tabnet-auto sing\n", 3)
