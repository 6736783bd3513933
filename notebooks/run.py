"""Run notebooks from top to bottom, each in its own folder; print the time and the last printed output.

    python notebooks/run.py                           all of them; writes nothing
    python notebooks/run.py 01-iris-three-ways        one
    python notebooks/run.py --write                   also store outputs and plots in the files

The exit status is 1 if a cell raises, for example in an ``assert``.
"""

from __future__ import annotations

import argparse
import os
import re
import sys
import tempfile
import time
from pathlib import Path

import nbformat
from nbclient import NotebookClient
from nbclient.exceptions import CellExecutionError

FOLDER = Path(__file__).resolve().parent
SECONDS = 120  #: time limit per cell
PICTURE = 40_000  #: maximum bytes per picture
COLOURS = re.compile(r"\x1b\[[0-9;]*m")
METADATA = {
    "kernelspec": {"display_name": "Python 3", "language": "python", "name": "python3"},
    "language_info": {"name": "python"},
}


def find(names: list[str]) -> list[Path]:
    """The notebooks with these names, with or without ``.ipynb``; all if ``names`` is empty."""
    paths = sorted(FOLDER.glob("*.ipynb"))
    by_name = {path.stem: path for path in paths}
    requested = [Path(name).name.removesuffix(".ipynb") for name in names]
    if unknown := [name for name in requested if name not in by_name]:
        raise SystemExit(f"unknown notebook {unknown[0]!r}; choose from {', '.join(by_name)}")
    return [by_name[name] for name in requested] or paths


def run(path: Path) -> nbformat.NotebookNode:
    """The notebook with its outputs. It runs with the library of this checkout, in a temporary folder."""
    notebook = nbformat.read(path, as_version=4)
    with tempfile.TemporaryDirectory(ignore_cleanup_errors=True) as folder:
        paths = [str(FOLDER.parent), os.environ.get("PYTHONPATH", "")]
        env = {**os.environ, "PYTHONPATH": os.pathsep.join(filter(None, paths)), "IPYTHONDIR": str(Path(folder) / ".ipython")}
        work = Path(folder) / "work"
        work.mkdir()
        where = {"metadata": {"path": str(work)}}
        client = NotebookClient(notebook, timeout=SECONDS, kernel_name="python3", resources=where, coalesce_streams=True)
        client.execute(env=env)
    return notebook


def clean(notebook: nbformat.NotebookNode) -> nbformat.NotebookNode:
    """The notebook without run-specific data: counts, times, identifiers. Raises ``ValueError`` on a picture that is too large."""
    notebook.metadata = nbformat.from_dict(METADATA)
    for number, cell in enumerate(notebook.cells):
        cell.id, cell.metadata = f"cell-{number:02}", nbformat.from_dict({})
        for output in cell.get("outputs", []):
            if "execution_count" in output:
                output.execution_count = None
            if "metadata" in output:
                output.metadata = nbformat.from_dict({})
            size = len(output.get("data", {}).get("image/png", "")) * 3 // 4
            if size > PICTURE:
                raise ValueError(f"cell {number}: the picture has {size:,} bytes, more than {PICTURE:,}; draw a smaller one")
        if cell.cell_type == "code":
            cell.execution_count = None
    return notebook


def printed(notebook: nbformat.NotebookNode) -> str:
    """The output of the last cell that prints."""
    texts = ["".join(o.text for o in cell.get("outputs", []) if o.get("name") == "stdout") for cell in notebook.cells]
    return next((text for text in reversed(texts) if text), "")


def main() -> int:
    options = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    options.add_argument("names", nargs="*", metavar="notebook")
    options.add_argument("--write", action="store_true", help="store the outputs in the files")
    arguments = options.parse_args()
    failed = 0
    for path in find(arguments.names):
        start = time.perf_counter()
        try:
            notebook = run(path)
        except CellExecutionError as error:
            print(f"{path.name} failed:\n{COLOURS.sub('', str(error))}", file=sys.stderr)
            failed += 1
            continue
        print(f"{path.name}: {time.perf_counter() - start:.0f} s\n{printed(notebook)}")
        if arguments.write:
            text = nbformat.writes(clean(notebook), indent=1, ensure_ascii=False)
            path.write_text(text.rstrip("\n") + "\n", encoding="utf-8", newline="\n")
    return min(failed, 1)


if __name__ == "__main__":
    raise SystemExit(main())
