"""The peers' processes, and the folder in which the fork that shares an import name lives."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

HERE = Path(__file__).resolve().parent
FORK_FOLDER = HERE.parent / ".peers" / "pytorch-tabnet2-4.6.0"
FORK_PACKAGES = ("pytorch-tabnet2==4.6.0", "activations-plus==0.1.1", "torcheval==0.0.7")
PEERS = ("pytorch-tabnet 4.1.0", "pytorch-tabnet2 4.6.0")


class PeerError(RuntimeError):
    """A peer could not do what was asked; its own words are in the message."""


def install_fork() -> Path:
    """Put the fork and its two small dependencies into a folder of their own.

    The folder goes first on its process's path, so that ``import pytorch_tabnet`` is the fork
    there and stays 4.1.0 everywhere else. torch, numpy and scikit-learn are this environment's:
    nothing large is downloaded, and both peers run on the same torch as we do.
    """
    if not (FORK_FOLDER / "pytorch_tabnet").exists():
        command = [sys.executable, "-m", "pip", "install", "--quiet", "--no-deps"]
        command += ["--disable-pip-version-check", "--target", str(FORK_FOLDER), *FORK_PACKAGES]
        done = subprocess.run(command, capture_output=True, text=True, check=False)
        if done.returncode:
            raise PeerError(f"pip could not install {FORK_PACKAGES[0]}: {done.stderr[-300:]}")
    return FORK_FOLDER


class Peer:
    """One peer's process: asked, it answers; in between it waits without using a core."""

    def __init__(self, name: str, threads: int) -> None:
        self.name, self.threads = name, threads
        env = {**os.environ, "OMP_NUM_THREADS": str(threads)}
        if name.startswith("pytorch-tabnet2"):
            env["PYTHONPATH"] = str(install_fork())
        else:
            env.pop("PYTHONPATH", None)
        self.process = subprocess.Popen(
            [sys.executable, str(HERE / "peer_worker.py")], env=env, text=True,
            stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL,
        )  # fmt: skip

    def ask(self, op: str, **order: Any) -> dict[str, Any]:
        """Send one command and wait for its answer."""
        assert self.process.stdin is not None
        assert self.process.stdout is not None
        try:
            self.process.stdin.write(json.dumps({"op": op, **order}) + "\n")
            self.process.stdin.flush()
            answer = self.process.stdout.readline()
        except BrokenPipeError:
            answer = ""
        reply = json.loads(answer) if answer else {"error": "the process ended"}
        if "error" in reply:
            raise PeerError(f"{self.name}: {reply['error']}")
        return reply

    def choose_threads(self) -> dict[int, float]:
        """Find with how many threads the peer is faster, and keep that; seconds of each."""
        options = sorted({1, self.threads}, reverse=True)
        taken = {n: min(self.ask("probe", threads=n)["seconds"] for _ in range(2)) for n in options}
        self.threads = min(taken, key=lambda n: taken[n])
        return taken

    def epoch(self, n_folds: int) -> float:
        """Seconds of one epoch of every fold, one fold after the other."""
        asked = (self.ask("epoch", fold=f, threads=self.threads) for f in range(n_folds))
        return sum(answer["seconds"] for answer in asked)

    def close(self) -> None:
        """End the process."""
        if self.process.stdin is not None:
            self.process.stdin.close()
        self.process.wait(timeout=30)
