"""What the Makefile runs: an environment that is made whole, and a GPU check whose command is one pytest takes."""

from __future__ import annotations

import os
import runpy
import shutil
import subprocess
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]


def test_the_gpu_checks_command_finds_its_tests_on_another_backend() -> None:
    pytest.importorskip("array_api_strict", reason="the strict backend is in the extra 'test'")
    command = runpy.run_path(str(ROOT / "benchmarks" / "gpu_check.py"))["command"]("strict")
    done = subprocess.run([*command, "--collect-only"], cwd=ROOT, capture_output=True, text=True)
    assert done.returncode == 0, done.stdout[-2000:] + done.stderr[-2000:]
    assert "[strict" in done.stdout
    assert "[numpy" not in done.stdout


@pytest.mark.skipif(os.name == "nt" or shutil.which("make") is None, reason="there is no make here")
def test_an_environment_left_half_made_is_made_again(tmp_path: Path) -> None:
    shutil.copy(ROOT / "Makefile", tmp_path)
    python = tmp_path / "python"
    python.write_text('#!/bin/sh\nmkdir -p "$3" && [ -e whole ] && touch "$3/made"\n')
    python.chmod(0o755)
    command = ["make", "-C", str(tmp_path), ".venv/.made", f"PYTHON={python}"]
    assert subprocess.run(command, capture_output=True).returncode != 0
    (tmp_path / "whole").touch()
    assert subprocess.run(command, capture_output=True).returncode == 0
    assert (tmp_path / ".venv" / "made").exists()
