"""Training steps, loaders and predictions compared with PyTorch, JAX and others: ``python benchmarks/bench.py``.

``make bench`` installs the others and runs it; ``make bench-quick`` runs the main rows in under two minutes. In a training row,
a step is complete: batch lookup by indices drawn beforehand, forward, loss, backward, update. Sizes, float32, batch and optimizer
are the same for all contenders; initial weights are not. A run fails if a contender's loss does not fall, never because of a time.
"""

from __future__ import annotations

import argparse
import os
import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
sys.path.insert(0, str(ROOT))

import report  # noqa: E402
from measure import Contender, LeftOut, interleave  # noqa: E402
from rows import GPU_ROWS, QUICK, ROWS, Row  # noqa: E402


def build(row: Row, peers: list[str] | None) -> tuple[dict[str, Contender], dict[str, str], bool]:
    """The row's contenders, warmed up; those left out, with the reason; and whether one failed unexpectedly."""
    ready: dict[str, Contender] = {}
    left_out: dict[str, str] = {}
    failed = False
    for name, make in row.contenders.items():
        if peers is not None and name.split()[0] not in ("adjoint", *peers):
            continue
        try:
            contender = make()
            if row.trains:
                contender.losses = (contender.loss(), 0.0)
            if row.unit == "s":
                contender.warm()
            ready[name] = contender
        except (LeftOut, ImportError, AttributeError) as error:
            left_out[name] = str(error)
        except Exception as error:  # a failure does not stop the other measurements
            left_out[name] = f"{type(error).__name__}: {error}".partition("\n")[0].replace(f"{ROOT}{os.sep}", "")
            failed = True
    return ready, left_out, failed


def run(row: Row, peers: list[str] | None, seconds: float) -> tuple[dict, bool]:
    """The row's results, and whether no contender failed and every loss is finite and fell."""
    contenders, left_out, failed = build(row, peers)
    interleave(contenders, seconds, timed=row.unit == "s")
    for contender in contenders.values():
        if contender.losses is not None:
            contender.losses = (contender.losses[0], contender.loss())
            failed = failed or not contender.losses[1] < contender.losses[0]  # False for NaN
    return report.row_results(row, contenders, left_out), not failed


def parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--quick", action="store_true", help="the main rows, compared with PyTorch and JAX, for a shorter time")
    parser.add_argument("--rows", type=lambda text: text.split(","), help=f"any of {', '.join(row.name for row in ROWS)}")
    parser.add_argument("--peers", type=lambda text: text.split(","), help="such as torch,jax; 'none' measures adjoint only")
    parser.add_argument("--seconds", type=float, help="measured time per row (default 15; 1 with --quick)")
    parser.add_argument("--backend", default="numpy", help="numpy, or cupy for the training rows on a GPU")
    parser.add_argument("--out", type=Path, default=ROOT / "benchmarks" / "results", help="folder for the JSON file and the chart")
    return parser


def main(argv: list[str] | None = None) -> int:
    args = parser().parse_args(argv)
    sys.stdout.reconfigure(encoding="utf-8")
    rows = ROWS
    if args.backend != "numpy":
        import adjoint as ad

        try:
            ad.use_backend(args.backend)
        except ad.errors.BackendError as error:
            sys.exit(f"bench: {error}")
        rows = GPU_ROWS
    if args.rows:
        unknown = set(args.rows) - {row.name for row in rows}
        if unknown:
            sys.exit(f"bench: there is no row {', '.join(sorted(unknown))}; there are {', '.join(row.name for row in rows)}")
        rows = [row for row in rows if row.name in args.rows]
    elif args.quick:
        rows = [row for row in rows if row.name in QUICK]
    peers = args.peers or (["torch", "jax", "numpy", "micrograd"] if args.quick else None)
    seconds = args.seconds or (1 if args.quick else 15)

    facts = report.machine(args.backend)
    if (facts["load"] or 0) > 0.5:
        print(f"bench: the machine is busy with other work (load {facts['load']:.1f}), which distorts times and ratios")
    sys.setrecursionlimit(100_000)  # micrograd traverses its graph recursively
    results, well = [], True
    for row in rows:
        try:
            result, fine = run(row, peers, seconds)
        except KeyboardInterrupt:
            print("bench: interrupted; writing the results so far")
            well = False
            break
        report.print_row(result)
        results.append(result)
        well = well and fine
    part = "-rows" if args.rows else "-quick" if args.quick else ""  # partial results do not overwrite complete ones
    report.finish(results, args.out / f"bench{'' if args.backend == 'numpy' else '-' + args.backend}{part}", facts, seconds)
    return 0 if well else 1


if __name__ == "__main__":
    sys.exit(main())
