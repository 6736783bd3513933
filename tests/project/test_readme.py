"""The README's Python runs, from top to bottom, as one program; its commands exist."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from adjoint.cli import parser

ROOT = Path(__file__).resolve().parents[2]
README = (ROOT / "README.md").read_text(encoding="utf-8")


def blocks(kind: str) -> list[str]:
    return re.findall(rf"```{kind}\n(.*?)```", README, re.DOTALL)


def test_every_python_block_of_the_readme_runs(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    pytest.importorskip("safetensors", reason="the README saves weights, which the extra 'files' does")
    monkeypatch.chdir(tmp_path)
    namespace: dict[str, object] = {}
    assert len(blocks("python")) == 5
    for block in blocks("python"):
        exec(compile(block, "README.md", "exec"), namespace)
    assert (tmp_path / "sine.safetensors").exists()


def test_every_adjoint_command_of_the_readme_parses() -> None:
    flat = re.sub(r"\s+", " ", README)
    commands = re.findall(r"adjoint (train [^`$]*?|predict [^`$]*?|info)(?=`| \$| ```)", flat)
    assert len(commands) >= 4
    for command in commands:
        parser().parse_args(command.split())


def test_make_train_runs_the_command_that_the_readme_names() -> None:
    command = re.search(r"`(adjoint train iris [^`]*)`", README)
    assert command is not None
    assert re.sub(r"\s+", " ", command[1]) in (ROOT / "Makefile").read_text(encoding="utf-8")


def test_the_layout_table_names_what_exists() -> None:
    import importlib

    for name in re.findall(r"^\| `(adjoint[.a-z]*)` \|", README, re.MULTILINE):
        importlib.import_module(name)
