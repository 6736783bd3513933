"""Run notebooks from top to bottom, each in a folder of its own, and say how long it took and what it printed last.

    python notebooks/run.py                           all of them; nothing is written
    python notebooks/run.py 01-iris-three-ways        one
    python notebooks/run.py --write                   also put what they printed and drew into the files

A cell that raises, an ``assert`` among them, ends it with exit status 1.
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
SECONDS = 120  #: that a cell may take
PICTURE = 40_000  #: bytes that a picture may have
COLOURS = re.compile(r"\x1b\[[0-9;]*m")
METADATA = {
    "kernelspec": {"display_name": "Python 3", "language": "python", "name": "python3"},
    "language_info": {"name": "python"},
}


def find(names: list[str]) -> list[Path]:
    """The notebooks of those names, with or without their ending; all where none is named."""
    paths = sorted(FOLDER.glob("*.ipynb"))
    known = {path.stem: path for path in paths}
    wanted = [Path(name).name.removesuffix(".ipynb") for name in names]
    if lacking := [name for name in wanted if name not in known]:
        raise SystemExit(f"there is no notebook {lacking[0]!r}; there are {', '.join(known)}")
    return [known[name] for name in wanted] or paths


def run(path: Path) -> nbformat.NotebookNode:
    """The notebook with its outputs. It runs with the library of this checkout, in a folder that is removed afterwards."""
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
    """The notebook without what differs from run to run: counts, times, identifiers. Raises ``ValueError`` on a large picture."""
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
                raise ValueError(f"cell {number}: its picture has {size:,} bytes, and may have {PICTURE:,}; draw a smaller one")
        if cell.cell_type == "code":
            cell.execution_count = None
    return notebook


def printed(notebook: nbformat.NotebookNode) -> str:
    """What the last cell that prints has printed."""
    texts = ["".join(o.text for o in cell.get("outputs", []) if o.get("name") == "stdout") for cell in notebook.cells]
    return next((text for text in reversed(texts) if text), "")


def main() -> int:
    options = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    options.add_argument("names", nargs="*", metavar="notebook")
    options.add_argument("--write", action="store_true", help="put the outputs into the files")
    given = options.parse_args()
    failed = 0
    for path in find(given.names):
        start = time.perf_counter()
        try:
            notebook = run(path)
        except CellExecutionError as error:
            print(f"{path.name} failed:\n{COLOURS.sub('', str(error))}", file=sys.stderr)
            failed += 1
            continue
        print(f"{path.name}: {time.perf_counter() - start:.0f} s\n{printed(notebook)}")
        if given.write:
            text = nbformat.writes(clean(notebook), indent=1, ensure_ascii=False)
            path.write_text(text.rstrip("\n") + "\n", encoding="utf-8", newline="\n")
    return min(failed, 1)


if __name__ == "__main__":
    raise SystemExit(main())
