"""How fast is the engine? Ours beside pytorch-tabnet 4.1.0 and pytorch-tabnet2 4.6.0, in turn.

    python benchmarks/engine.py --quick [--json FILE]
    python benchmarks/engine.py [--parts train,step,predict,growth,gpu,import] [--json FILE]
                                [--cases TEXT] [--repeats N] [--threads N] [--resume]

train    seconds per epoch of five folds with validation, preset "paper" against both peers
step     share of the machine's matrix-product rate that the default network's step reaches
predict  rows per second and latency of the five-fold ensemble; memory of attention
growth   seconds per epoch and peak memory against rows, columns, folds, steps; pictures beside
         the JSON file
gpu      on a CUDA device: the train rows at n_d=8, a step replayed and launched, losses beside
         those on the CPU
import   seconds of `import tabnet_auto` against torch and pandas

`--quick` is the train part at n_d=8 and n_d=32 on 20,000 rows of covertype, one warm-up epoch and
two measured ones. `--cases TEXT` keeps the cases whose name holds the text. With `--resume` cases
that the JSON file holds are not measured again.
"""

from __future__ import annotations

import argparse
from collections.abc import Callable
from pathlib import Path

import torch
from data import DEFAULT
from engine_parts import gpu, growth, imports, machine, predict, step, train
from engine_parts.report import HEAD, Report

MINUTES = {
    "train": "about 5 minutes a case at n_d=8, 20 at n_d=64",
    "step": "about 3 minutes",
    "predict": "about 3 minutes",
    "growth": "about 40 minutes, at most 30 a case",
    "gpu": "about 10 minutes with a GPU",
    "import": "about 1 minute",
}


def main() -> None:
    """Measure the parts asked for, print a table, write JSON."""
    options = read_options()
    # --one runs one case of the growth or predict part in a process of its own.
    if options.one:
        growth.run_one(options.one, options.data, options.threads)
        return
    torch.set_num_threads(options.threads)
    report = Report(
        machine.about(options.threads), options.json, resume=options.resume, only=options.cases
    )
    print("  ".join(f"{k}: {v}" for k, v in report.about.items()))
    print(HEAD)
    table = parts(report, options)
    for part in ["train"] if options.quick else options.parts.split(","):
        print(f"-- {part}" + ("" if options.quick else f", {MINUTES[part]}"), flush=True)
        table[part]()


def parts(report: Report, options: argparse.Namespace) -> dict[str, Callable[[], None]]:
    """Every part by its name."""
    data, threads = options.data, options.threads
    repeats = options.repeats or (2 if options.quick else 3)
    cases = train.quick_cases(repeats) if options.quick else train.full_cases(repeats)
    return {
        "train": lambda: train.run(report, cases, data, threads),
        "step": lambda: step.run(report),
        "predict": lambda: predict.run(report, data, threads),
        "growth": lambda: growth.run(report, data, threads),
        "gpu": lambda: gpu.run(report, data, threads, repeats),
        "import": lambda: imports.run(report),
    }


def read_options() -> argparse.Namespace:
    """Read the command line."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--quick", action="store_true")
    parser.add_argument("--parts", default=",".join(MINUTES))
    parser.add_argument("--cases", default="", help="only cases whose name holds this text")
    parser.add_argument("--json", type=Path)
    parser.add_argument("--resume", action="store_true")
    parser.add_argument("--repeats", type=int, default=0)
    parser.add_argument("--threads", type=int, default=machine.cores())
    parser.add_argument("--data", type=Path, default=DEFAULT)
    parser.add_argument("--one", help=argparse.SUPPRESS)
    options = parser.parse_args()
    if unknown := set(options.parts.split(",")) - set(MINUTES):
        parser.error(f"--parts are {', '.join(MINUTES)}, however: {', '.join(sorted(unknown))}")
    return options


if __name__ == "__main__":
    main()
