"""The notebooks run from top to bottom, with the ``assert`` cells that hold their figures, and are stored clean and small."""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from adjoint import data
from adjoint.errors import MissingExtra

ROOT = Path(__file__).resolve().parents[2]
NOTEBOOKS = sorted((ROOT / "notebooks").glob("*.ipynb"))
SECONDS = 240  # each takes under 40 on an idle machine
every_notebook = pytest.mark.parametrize("path", NOTEBOOKS, ids=lambda path: path.stem)


def cells(path: Path) -> list[dict[str, Any]]:
    return json.loads(path.read_text(encoding="utf-8"))["cells"]


@pytest.fixture
def files(monkeypatch: pytest.MonkeyPatch) -> None:
    """The folder of data files, where there is one; what it lacks is downloaded."""
    folder = os.environ.get("ADJOINT_DATA") or str(ROOT.parent / "shared" / "data")
    if os.path.isdir(folder):
        monkeypatch.setenv("ADJOINT_DATA", folder)


@every_notebook
@pytest.mark.usefixtures("files")
def test_a_notebook_runs_from_top_to_bottom(path: Path) -> None:
    for extra in ("nbclient", "nbformat", "ipykernel", "pandas", "sklearn", "matplotlib"):
        pytest.importorskip(extra, reason="what runs the notebooks is in the extra 'notebooks'")
    code = "".join("".join(cell["source"]) for cell in cells(path) if cell["cell_type"] == "code")
    names = re.findall(r'(?:read_csv|fetch)\("(\w+)"\)', code) + ["t10k-images-idx3-ubyte.gz"] * ("mnist(" in code)
    for name in names:
        try:
            data.fetch(name)
        except (ConnectionError, MissingExtra) as error:
            pytest.skip(f"the data files are not here: set ADJOINT_DATA to a folder that has them ({error})")
    command = [sys.executable, str(ROOT / "notebooks" / "run.py"), path.stem]
    done = subprocess.run(command, capture_output=True, text=True, encoding="utf-8", timeout=SECONDS)
    assert done.returncode == 0, done.stdout[-2000:] + done.stderr[-4000:]


@every_notebook
def test_a_notebook_is_stored_without_what_differs_from_run_to_run(path: Path) -> None:
    stored = json.loads(path.read_text(encoding="utf-8"))
    assert stored["metadata"]["kernelspec"]["name"] == "python3"
    for cell in stored["cells"]:
        assert cell["metadata"] == {}
        assert cell.get("execution_count") is None
        for output in cell.get("outputs", []):
            assert output["output_type"] != "error"
            assert output.get("execution_count") is None


@every_notebook
def test_a_notebooks_outputs_are_there_and_small(path: Path) -> None:
    outputs = [output for cell in cells(path) for output in cell.get("outputs", [])]
    pictures = [output["data"]["image/png"] for output in outputs if "image/png" in output.get("data", {})]
    assert pictures, "run `make notebooks-write`"
    assert max(map(len, pictures)) * 3 / 4 < 40_000
    texts = ["".join(output.get("text", "")) for output in outputs]
    assert max(map(len, texts)) < 3_000


@every_notebook
def test_a_notebook_holds_its_figures_by_assertions_at_its_end(path: Path) -> None:
    last = [cell for cell in cells(path) if cell["cell_type"] == "code"][-1]
    assert re.search(r"^assert ", "".join(last["source"]), re.MULTILINE)


def test_every_notebook_is_in_the_list_of_them() -> None:
    listed = (ROOT / "notebooks" / "README.md").read_text(encoding="utf-8")
    assert [path.name for path in NOTEBOOKS if f"]({path.name})" not in listed] == []
