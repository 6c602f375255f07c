"""Environments of their own, for peers whose dependencies do not go with ours."""

from __future__ import annotations

import subprocess
import sys
from dataclasses import dataclass
from importlib.metadata import distributions
from pathlib import Path

PEERS = Path(__file__).resolve().parents[1] / ".peers"
STAMP = "requirements.txt"


class NoEnvironmentError(RuntimeError):
    """An environment could not be made; pip's last words are in the message."""


@dataclass(frozen=True)
class Environment:
    """A virtual environment in an ignored folder, made once from pinned ``requirements``."""

    name: str
    requirements: tuple[str, ...]

    @property
    def folder(self) -> Path:
        """Where it lives, beside the peers of the engine benchmark."""
        return PEERS / self.name

    @property
    def python(self) -> Path:
        """Its interpreter."""
        return self.folder / "bin" / "python"

    @property
    def stamp(self) -> str:
        """What is written into it when it is complete."""
        return "\n".join(self.requirements) + "\n"

    def is_made(self) -> bool:
        """Whether it is complete, and of these requirements."""
        written = self.folder / STAMP
        return written.exists() and written.read_text(encoding="utf-8") == self.stamp

    def make(self) -> None:
        """Make it unless it is there; one that was interrupted or is of other pins is made anew."""
        if self.is_made():
            return
        (self.folder / STAMP).unlink(missing_ok=True)
        _run(sys.executable, "-m", "venv", "--clear", self.folder)
        pip = (self.python, "-m", "pip", "install", "--quiet", "--disable-pip-version-check")
        _run(*pip, *self.requirements)
        (self.folder / STAMP).write_text(self.stamp, encoding="utf-8")

    def versions(self) -> dict[str, str]:
        """Return what is installed in it, by name."""
        sites = [str(site) for site in self.folder.glob("lib/python*/site-packages")]
        return {found.name.lower(): found.version for found in distributions(path=sites)}


def _run(*command: str | Path) -> None:
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    if done.returncode:
        words = (done.stderr.strip().splitlines() or [f"exit {done.returncode}"])[-1]
        raise NoEnvironmentError(words)


AUTOGLUON = Environment(
    "autogluon-1.6.3",
    (
        "autogluon.tabular[catboost,fastai,lightgbm,xgboost]==1.6.3",
        "catboost==1.2.10",
        "fastai==2.8.7",
        "lightgbm==4.7.0",
        "torch==2.13.0",
        "xgboost-cpu==3.2.0; platform_system != 'Darwin'",
    ),
)
"""The boosters and torch networks of the preset's portfolio. Without ray: with it each fold is a
process of its own that imports everything, which is much for two cores and some minutes."""
