"""The README's Python runs, from top to bottom, as one program; its commands exist."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from adjoint.cli import main, parser

ROOT = Path(__file__).resolve().parents[2]
README = (ROOT / "README.md").read_text(encoding="utf-8")
pytestmark = pytest.mark.usefixtures("forget_what_is_declared")


def blocks(kind: str) -> list[str]:
    return re.findall(rf"```{kind}\n(.*?)```", README, re.DOTALL)


def test_every_python_block_of_the_readme_runs(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    pytest.importorskip("safetensors", reason="the README saves weights, which the extra 'files' does")
    monkeypatch.chdir(tmp_path)
    namespace: dict[str, object] = {}
    assert len(blocks("python")) == 9
    for block in blocks("python"):
        exec(compile(block, "README.md", "exec"), namespace)
    assert (tmp_path / "sine.safetensors").exists()


def test_every_adjoint_command_of_the_readme_parses() -> None:
    told = re.findall(r"`adjoint ([^`]*)`", re.sub(r"```.*?```", "", README, flags=re.DOTALL))
    shown = re.findall(r"^\$ \.venv/bin/adjoint (.*)$", README, re.MULTILINE)
    commands = [command for command in told + shown if command.startswith(("train", "predict", "info"))]
    assert len(commands) >= 6
    for command in commands:
        parser().parse_args(command.split())


def test_the_readmes_flower_is_predicted_by_the_model_of_make_train(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    pytest.importorskip("rich", reason="the command line is in the extra 'cli'")
    monkeypatch.chdir(tmp_path)
    flower, shown = re.search(
        r"\$ printf '(.*)' > flower.csv\n\$ \S*adjoint predict runs/iris flower.csv\n(.*?)```", README, re.S
    ).groups()
    Path("flower.csv").write_text(flower.replace("\\n", "\n"), encoding="utf-8")
    assert main(["train", "iris"]) == 0
    capsys.readouterr()
    assert main(["predict", "runs/iris", "flower.csv"]) == 0
    *predicted, probability = capsys.readouterr().out.strip().rsplit(",", 1)
    *said, said_probability = shown.strip().rsplit(",", 1)
    assert predicted == said
    assert float(probability) == pytest.approx(float(said_probability), abs=0.01)


def test_make_train_runs_the_command_that_the_readme_names() -> None:
    command = re.search(r"`(adjoint train iris [^`]*)`", README)
    assert command is not None
    assert re.sub(r"\s+", " ", command[1]) in (ROOT / "Makefile").read_text(encoding="utf-8")


def test_the_layout_table_names_what_exists() -> None:
    import importlib

    for name in re.findall(r"^\| `(adjoint[.a-z]*)` \|", README, re.MULTILINE):
        importlib.import_module(name)
