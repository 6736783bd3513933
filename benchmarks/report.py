"""Results as tables on the terminal, as JSON, and as a chart."""

from __future__ import annotations

import json
import os
import platform
from datetime import date
from importlib import metadata
from pathlib import Path
from typing import Any

from measure import Contender, spread
from targets import CAPTURED, EAGER, summary

LIBRARIES = ("adjoint", "numpy", "torch", "jax", "optax", "scikit-learn", "mygrad", "autograd", "micrograd", "cupy-cuda13x")


def row_results(row: Any, contenders: dict[str, Contender], left_out: dict[str, str]) -> dict:
    """Medians and quartiles, and the ratios peer / ours: medians over rounds, in each of which all contenders ran."""
    ratios = {
        ours: {
            name: spread([b / a for a, b in zip(contenders[ours].samples, peer.samples, strict=True)])
            for name, peer in contenders.items()
            if name != ours
        }
        for ours in (EAGER, CAPTURED)
        if ours in contenders
    }
    measured = {
        name: {**spread(c.samples), "blocks": len(c.samples), "steps_a_block": c.count, "losses": c.losses}
        for name, c in contenders.items()
    }
    return {
        "name": row.name, "title": row.title, "unit": row.unit, "contenders": measured, "ratios": ratios, "left_out": left_out,
    }  # fmt: skip


def machine(backend: str) -> dict:
    versions = {}
    for name in LIBRARIES:
        try:
            versions[name] = metadata.version(name)
        except metadata.PackageNotFoundError:
            continue
    return {
        "cpu": cpu(), "cores": os.cpu_count(), "system": platform.platform(), "python": platform.python_version(),
        "versions": versions, "backend": backend, "date": str(date.today()), "load": load(),
    }  # fmt: skip


def cpu() -> str:
    try:
        lines = Path("/proc/cpuinfo").read_text().splitlines()
        return next(line.split(":")[1].strip() for line in lines if line.startswith("model name"))
    except (OSError, StopIteration):
        return platform.processor()


def load() -> float | None:
    """The load average: how many processes were runnable recently."""
    return os.getloadavg()[0] if hasattr(os, "getloadavg") else None


def quantity(value: float, unit: str) -> str:
    if unit != "s":
        return f"{value:,.1f} {unit}"
    for scale, name in ((1.0, "s"), (1e-3, "ms")):
        if value >= scale:
            return f"{value / scale:.3g} {name}" if value < 1000 * scale else f"{value / scale:.0f} {name}"
    return f"{value * 1e6:.1f} µs"


def print_table(title: str, header: list[str], lines: list[list[str]], notes: list[str]) -> None:
    """Print with rich if it is installed, otherwise as plain text."""
    try:
        from rich import box
        from rich.console import Console
        from rich.table import Table
    except ImportError:
        widths = [max(map(len, column)) for column in zip(header, *lines, strict=True)]
        print(f"\n{title}")
        for line in [header, *lines]:
            print("  " + "  ".join(cell.ljust(width) for cell, width in zip(line, widths, strict=True)).rstrip())
    else:
        table = Table(*header, title=title, title_justify="left", box=box.SIMPLE_HEAD)
        for line in lines:
            table.add_row(*line)
        console = Console()
        console.print(table) if console.is_terminal else Console(width=132).print(table)
    for note in notes:
        print(f"  {note}")


def print_row(result: dict) -> None:
    unit, ratios = result["unit"], result["ratios"]
    lines = []
    for name, c in result["contenders"].items():
        cells = [name, quantity(c["median"], unit), f"{quantity(c['low'], unit)} to {quantity(c['high'], unit)}"]
        cells += [f"{ratios[ours][name]['median']:.2f}" if name in ratios.get(ours, {}) else "" for ours in (EAGER, CAPTURED)]
        first, last = c["losses"] or (None, None)
        lines.append([*cells, f"{first:.3g} → {last:.3g}" + ("" if last < first else " !") if c["losses"] else ""])
    notes = [f"without {name}: {reason}" for name, reason in result["left_out"].items()]
    header = ["", "median", "middle half", "over eager", "over captured", "loss"]
    print_table(f"{result['name']}: {result['title']}", header, lines, notes)


def print_summary(lines: list[dict]) -> None:
    cells = []
    for line in lines:
        sign = "≤" if line["cost"] else "≥"
        bounds = [f"{sign} {bound:g}" if bound is not None else "" for bound in (line["target_mean"], line["target_worst"])]
        cells.append([
            line["title"] + (f" (without {', '.join(line['missing'])})" if line["missing"] else ""),
            f"{line['ours']} / {line['peer']}" if line["cost"] else f"{line['peer']} / {line['ours']}",
            f"{line['mean']:.2f}", bounds[0], f"{line['worst']:.2f}", bounds[1], line["worst_row"], "yes" if line["met"] else "no",
        ])  # fmt: skip
    header = ["rows", "ratio", "mean", "target", "worst", "target", "of", "met"]
    print_table("The targets (geometric mean, and worst row)", header, cells, [])


def draw(results: list[dict], path: Path) -> None:
    """Bars of the peers' time over that of eager adjoint, one group per row, on a logarithmic scale; 1 is equally fast."""
    import matplotlib

    matplotlib.use("Agg")
    import matplotlib.pyplot as plt

    rows = [row for row in results if row["unit"] == "s" and row["ratios"].get(EAGER)]
    names = list(dict.fromkeys(name for row in rows for name in row["ratios"][EAGER]))
    if not rows:
        return
    figure, axes = plt.subplots(figsize=(9, 0.8 + 0.16 * sum(len(row["ratios"][EAGER]) + 1 for row in rows)))
    colors = dict(zip(names, plt.get_cmap("tab10").colors, strict=False))
    at, ticks = 0.0, []
    for row in rows:
        begun = at
        for name, ratio in row["ratios"][EAGER].items():
            label = name if name not in axes.get_legend_handles_labels()[1] else None
            axes.barh(at, ratio["median"] - 1, left=1, height=0.9, color=colors[name], label=label)
            at += 1
        ticks.append(((begun + at - 1) / 2, row["name"]))
        at += 1
    axes.set_xscale("log")
    axes.xaxis.set_major_formatter("{x:g}")
    axes.axvline(1, color="black", linewidth=1)
    axes.set_yticks([tick for tick, _ in ticks], [name for _, name in ticks])
    axes.invert_yaxis()
    axes.set_xlabel("step time over that of eager adjoint (right of the line: adjoint is faster)")
    axes.legend(loc="upper left", bbox_to_anchor=(1, 1), frameon=False)
    figure.savefig(path, bbox_inches="tight")
    plt.close(figure)


def finish(results: list[dict], out: Path, facts: dict, seconds: float) -> None:
    """Print the summary; write all results to ``out``.json and ``out``.svg."""
    lines = summary(results)
    if lines:
        print_summary(lines)
    out.parent.mkdir(parents=True, exist_ok=True)
    whole = {"machine": facts, "seconds_a_row": seconds, "rows": results, "summary": lines}
    out.with_name(out.name + ".json").write_text(json.dumps(whole, indent=1) + "\n", encoding="utf-8")
    try:
        draw(results, out.with_name(out.name + ".svg"))
    except ImportError:
        print("no chart: matplotlib is not installed")
