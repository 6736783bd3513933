"""The benchmarks run, and write what they say they write; nothing is said about how long anything took."""

from __future__ import annotations

import json
import os
import runpy
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
BENCH = ROOT / "benchmarks" / "bench.py"


def bench(*arguments: str) -> subprocess.CompletedProcess[str]:
    environment = {**os.environ, "PYTHONPATH": str(ROOT)}
    return subprocess.run([sys.executable, str(BENCH), *arguments], capture_output=True, encoding="utf-8", env=environment)


def test_a_row_is_measured_and_written(tmp_path: Path) -> None:
    done = bench("--rows", "perceptron", "--peers", "torch,autograd", "--seconds", "0.1", "--out", str(tmp_path))
    assert done.returncode == 0, done.stdout + done.stderr
    written = json.loads((tmp_path / "bench-rows.json").read_text(encoding="utf-8"))
    assert {"cpu", "cores", "python", "versions"} <= written["machine"].keys()
    assert "numpy" in written["machine"]["versions"]
    (row,) = written["rows"]
    ours = row["contenders"]["adjoint"]
    assert ours["blocks"] >= 3
    assert 0 < ours["low"] <= ours["median"] <= ours["high"]
    assert ours["losses"][1] < ours["losses"][0]
    peers = row["contenders"].keys() - {"adjoint"}
    assert row["ratios"]["adjoint"].keys() == peers
    assert {"torch", "torch fused", "autograd", "adjoint captured"} <= peers | row["left_out"].keys()
    for line in written["summary"]:
        assert line["rows"] == ["perceptron"]
        assert line["mean"] == pytest.approx(line["worst"])
        assert "sine" in line["missing"]


def test_a_row_that_is_not_there_is_refused_with_those_that_are(tmp_path: Path) -> None:
    done = bench("--rows", "perceptron,marble", "--out", str(tmp_path))
    assert done.returncode == 1
    assert "no row marble" in done.stderr
    assert "784-512-10" in done.stderr


def test_every_target_is_of_rows_and_contenders_that_there_are(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.syspath_prepend(str(BENCH.parent))
    rows = {row.name: row.contenders for row in runpy.run_path(str(BENCH.parent / "rows.py"))["ROWS"]}
    for target in runpy.run_path(str(BENCH.parent / "targets.py"))["TARGETS"]:
        for name in target.rows:
            assert {target.ours, target.peer} <= rows[name].keys(), (target, name)
