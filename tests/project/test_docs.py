"""The Python in ``docs/`` runs, a page as one program, and prints what is shown; the report of operations is as the source is."""

from __future__ import annotations

import re
import runpy
from contextlib import redirect_stdout
from io import StringIO
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
PAGES = sorted((ROOT / "docs").glob("*.md"))
pytestmark = pytest.mark.usefixtures("forget_what_is_declared")


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_every_python_block_of_a_page_runs(page: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    namespace: dict[str, object] = {}
    blocks = re.findall(r"```python\n(.*?)```(?:\n+```text\n(.*?)```)?", page.read_text(encoding="utf-8"), re.DOTALL)
    for block, shown in blocks:
        with redirect_stdout(StringIO()) as printed:
            exec(compile(block, page.name, "exec"), namespace)
        assert printed.getvalue() == shown, f"{page.name}: a block that prints is followed by one of text, with what it prints"


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_what_a_page_links_to_is_there(page: Path) -> None:
    for target in re.findall(r"\]\((?!https?:|#)([^)#]+)", page.read_text(encoding="utf-8")):
        assert (page.parent / target).exists(), target


@pytest.mark.parametrize("page", [ROOT / "CONTRIBUTING.md", ROOT / "README.md", *PAGES], ids=lambda page: page.name)
def test_every_path_that_a_page_names_exists(page: Path) -> None:
    """A path from the root, as in ``adjoint/nn/``, or a file of the folder that is named before it in the same line."""
    missing = []
    for line in re.sub(r"```.*?```", "", page.read_text(encoding="utf-8"), flags=re.DOTALL).splitlines():
        folder: Path | None = None
        for path in re.findall(r"`([\w./-]+(?:/|\.py|\.md|\.txt|\.ipynb))`", line):
            inside = ROOT if re.match(r"(adjoint|tests|docs|benchmarks|notebooks)/", path) else folder
            if inside is not None and not (inside / path).exists():
                missing.append(path)
            if inside is ROOT and path.endswith("/"):
                folder = ROOT / path
    assert not missing


def test_the_report_of_operations_is_as_the_source_is() -> None:
    report = runpy.run_path(str(ROOT / "docs" / "op_report.py"))
    written = report["PAGE"].read_text(encoding="utf-8")
    assert written == report["page"](), "docs/operations.md is not of this source: run `make op-report`, and commit what it writes"
