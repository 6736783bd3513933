"""``ad.graph`` draws the graph that there is, whatever its shape and however things are called, and leaves it as it was."""

from __future__ import annotations

import html
import re
import sys
from collections import Counter
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, strategies as st

import adjoint as ad
from adjoint import nn
from adjoint.autograd.drawing import Graph

BINARY: dict[str, Callable[[Any, Any], Any]] = {
    "add": lambda x, y: x + y, "minimum": ad.minimum, "subtract": lambda x, y: x - y, "maximum": ad.maximum,
}  # fmt: skip
UNARY: dict[str, Callable[[Any], Any]] = {"tanh": ad.tanh, "atan": ad.atan, "sin": ad.sin}
Step = tuple[str, int, int]


def mermaid(text: str) -> tuple[list[tuple[str, list[str]]], list[tuple[int, int]]]:
    """Boxes and edges as read from Mermaid."""
    boxes, edges = [], []
    head, *lines = text.splitlines()
    assert head == "flowchart LR"
    for line in lines:
        if found := re.fullmatch(r" {4}n(\d+) --> n(\d+)", line):
            edges.append((int(found[1]), int(found[2])))
            continue
        found = re.fullmatch(r' {4}n(\d+)(\[|\(\[)"([^"]*)"(\]|\]\))', line)
        assert found is not None, line
        assert int(found[1]) == len(boxes)
        shown = [re.sub(r"#(\d+);", lambda code: chr(int(code[1])), part) for part in found[3].split("<br>")]
        boxes.append(("leaf" if found[2] == "[" else "operation", shown))
    return boxes, edges


def graphviz(text: str) -> tuple[list[tuple[str, list[str]]], list[tuple[int, int]]]:
    """Boxes and edges as read from Graphviz' language."""
    boxes, edges = [], []
    head, rank, *lines, tail = text.splitlines()
    assert (head, rank, tail) == ("digraph {", "    rankdir=LR", "}")
    for line in lines:
        if found := re.fullmatch(r" {4}n(\d+) -> n(\d+)", line):
            edges.append((int(found[1]), int(found[2])))
            continue
        found = re.fullmatch(r' {4}n(\d+) \[label="((?:[^"\\]|\\.)*)", shape=(box|ellipse)\]', line)
        assert found is not None, line
        assert int(found[1]) == len(boxes)
        signs = re.sub(r"\\(.)", lambda escape: "\n" if escape[1] == "n" else escape[1], found[2])
        boxes.append(("leaf" if found[3] == "box" else "operation", html.unescape(signs).split("\n")))
    return boxes, edges


@given(
    st.lists(st.booleans(), min_size=1, max_size=4),
    st.lists(st.tuples(st.sampled_from([*BINARY, *UNARY]), st.integers(0, 20), st.integers(0, 20)), min_size=1, max_size=15),
)
def test_boxes_and_edges_are_those_of_the_program(needs: list[bool], steps: list[Step]) -> None:
    tensors = [ad.tensor(0.5 + i, requires_grad=need) for i, need in enumerate(needs)]
    made: dict[int, tuple[str, list[int]]] = {}
    for name, i, j in steps:
        inputs = [i % len(tensors), j % len(tensors)] if name in BINARY else [i % len(tensors)]
        tensors.append((BINARY[name] if name in BINARY else UNARY[name])(*(tensors[k] for k in inputs)))  # type: ignore[operator]
        made[len(tensors) - 1] = name, inputs
    last = len(tensors) - 1
    if not tensors[last].requires_grad:
        with pytest.raises(ValueError, match="nothing it was computed from requires a gradient"):
            ad.graph(tensors[last])
        return

    wanted, behind = {last}, [last]
    edges: Counter[tuple[int, int]] = Counter()
    while behind:
        k = behind.pop()
        for i in made.get(k, ("", []))[1]:
            if tensors[i].requires_grad:
                edges[i, k] += 1
                if i not in wanted:
                    wanted.add(i)
                    behind.append(i)

    drawn = ad.graph(tensors[last], names={str(i): t for i, t in enumerate(tensors)})
    shown = [("leaf", [str(i), "() float32"]) if i not in made else ("operation", [made[i][0], str(i)]) for i in sorted(wanted)]
    for boxes, found in (mermaid(str(drawn)), graphviz(drawn.dot())):
        assert sorted(boxes) == sorted(shown)
        number = [int(lines[0] if kind == "leaf" else lines[1]) for kind, lines in boxes]
        assert Counter((number[a], number[b]) for a, b in found) == edges
        assert all(a < b for a, b in found)
        assert number[-1] == last


@given(st.text(max_size=12))
def test_a_name_is_shown_as_it_is_and_breaks_nothing(name: str) -> None:
    w = ad.ones(3, requires_grad=True)
    drawn = ad.graph(w.sum(), names={name: w})
    printable = "".join(c if c.isprintable() else " " for c in name)
    for boxes, edges in (mermaid(str(drawn)), graphviz(drawn.dot())):
        assert boxes == [("leaf", [printable, "(3,) float32"]), ("operation", ["sum"])]
        assert edges == [(0, 1)]


def test_signs_of_mermaid_and_html_are_escaped() -> None:
    w = ad.ones(3, requires_grad=True)
    drawn = ad.graph(w.sum(), names={'<b>"#%%*`\\': w})
    label = str(drawn).splitlines()[1]
    assert label == '    n0["#60;b#62;#34;#35;#37;#37;#42;#96;#92;<br>(3,) float32"]'
    assert 'label="<b>\\"#%%*`\\\\\\n(3,) float32"' in drawn.dot()


def test_a_modules_parameters_name_the_leaves() -> None:
    model = nn.Sequential(nn.Linear(2, 3), nn.Tanh(), nn.Linear(3, 1))
    drawn = ad.graph(model(ad.ones(5, 2)).mean(), names=model.named_parameters())
    leaves = {box.lines for box in drawn.boxes if box.kind == "leaf"}
    assert leaves == {
        ("0.weight", "(3, 2) float32"), ("0.bias", "(3,) float32"), ("2.weight", "(1, 3) float32"), ("2.bias", "(1,) float32"),
    }  # fmt: skip
    assert "tanh" in {box.lines[0] for box in drawn.boxes}
    assert drawn.boxes[-1].lines == ("mean",)


def test_two_names_of_one_are_both_shown_and_one_of_another_graph_is_left_out() -> None:
    w, other = ad.ones(2, requires_grad=True), ad.ones(2, requires_grad=True)
    drawn = ad.graph((w * 2).sum(), names=[("w", w), ("v", w), ("other", other), ("result", other * 2)])
    assert drawn.boxes[0].lines == ("w", "v", "(2,) float32")
    assert "other" not in str(drawn)
    assert "result" not in str(drawn)


def test_values_and_gradients_are_those_that_are_known() -> None:
    a, b = ad.tensor(2.0, requires_grad=True), ad.tensor([-3.0, 0.125], requires_grad=True)
    large = ad.ones(7, requires_grad=True)
    c = a * b
    kept = (c + 1.0).sum()
    kept.retain_grad()
    out = kept * large.sum()
    before = ad.graph(out, {"c": c}, values=True)
    assert before.boxes[0].lines == ("() float32", "value 2")
    assert ("multiply", "c", "(2,)", "value [-6, 0.25]") in {box.lines for box in before.boxes}
    assert before.boxes[-1].lines == ("multiply", "value -26.25")
    out.backward()
    after = {box.lines for box in ad.graph(out, {"c": c}, values=True).boxes}
    assert ("() float32", "value 2", "gradient -20.12") in after
    assert ("(2,) float32", "value [-3, 0.125]", "gradient [14, 14]") in after
    assert ("(7,) float32",) in after
    assert ("sum", "value -3.75", "gradient 7") in after
    assert ("add", "(2,)") in after
    assert not any("value" in line for box in ad.graph(out).boxes for line in box.lines)


def test_a_retained_tensor_that_is_gone_or_was_written_to_shows_no_value_that_is_not_the_operations() -> None:
    x = ad.tensor(2.0, requires_grad=True)
    y = x * 3.0
    y.retain_grad()
    z = y + 1.0
    y.mul_(2.0)
    assert ad.graph(z, values=True).boxes[1].lines == ("multiply",)
    del y
    assert ad.graph(z, values=True).boxes[1].lines == ("multiply",)


def test_drawing_neither_frees_the_graph_nor_keeps_it_alive() -> None:
    x = ad.tensor([1.0, 2.0], requires_grad=True)
    y = (x * x).exp().sum()
    before = [(node, node.saved, node.edges, node.metadata) for node in ad.autograd.graph.reachable([y.grad_fn])]
    drawn = ad.graph(y, {"x": x}, values=True)
    assert before == [(node, node.saved, node.edges, node.metadata) for node in ad.autograd.graph.reachable([y.grad_fn])]
    y.backward()
    assert x.grad is not None
    assert x.grad.tolist() == pytest.approx([2 * 2.718281828, 4 * 54.59815], rel=1e-5)
    assert [box.lines[0] for box in ad.graph(y, {"x": x}).boxes] == ["x", "multiply", "exp", "sum"]  # freed, and drawn
    assert all(isinstance(line, str) for box in drawn.boxes for line in box.lines)


def test_a_view_is_drawn_with_what_was_written_to_its_base() -> None:
    x = ad.ones(4, requires_grad=True)
    y = x * 1.0
    part = y[:2]
    y.mul_(3.0)
    assert [box.lines[0] for box in ad.graph(part, {"x": x}).boxes].count("multiply") == 2


def test_ten_thousand_boxes_are_drawn_and_more_are_refused() -> None:
    x = ad.tensor(1.0, requires_grad=True)
    y = x
    for _ in range(9_999):
        y = y + 1.0
    drawn = ad.graph(y)
    assert len(drawn.boxes) == 10_000
    assert str(drawn).count("-->") == drawn.dot().count("->") == 9_999
    with pytest.raises(ValueError, match="10000 operations and 1 leaves, and the limit is 10000 boxes"):
        ad.graph(y + 1.0)
    assert len(ad.graph(y + 1.0, limit=10_001).boxes) == 10_001
    with pytest.raises(ValueError, match="the limit is 2 boxes"):
        ad.graph((x * x).exp(), limit=2)


def test_what_has_no_graph_is_refused() -> None:
    with pytest.raises(ValueError, match="it is a leaf, made by no operation"):
        ad.graph(ad.ones(2, requires_grad=True))
    for constant in (ad.ones(2), ad.ones(2) * 2, (ad.ones(2, requires_grad=True) * 2).detach()):
        with pytest.raises(ValueError, match="nothing it was computed from requires a gradient"):
            ad.graph(constant)
    with pytest.raises(TypeError, match="it takes a tensor, not list"):
        ad.graph([1.0])
    with pytest.raises(TypeError, match="'w' names no tensor but int"):
        ad.graph(ad.ones(2, requires_grad=True) * 2, {"w": 3})


# --- in a notebook ---


def drawn() -> Graph:
    x = ad.tensor(2.0, requires_grad=True)
    return ad.graph((x * x).exp(), {"x": x})


def test_without_graphviz_a_notebook_is_given_mermaid(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    one = drawn()
    expected = {"text/vnd.mermaid": str(one), "text/markdown": f"```mermaid\n{one}\n```", "text/plain": repr(one)}
    monkeypatch.setenv("PATH", str(tmp_path))  # the package, if it is there, and no program
    assert one._repr_svg_() is None
    assert one._repr_mimebundle_() == expected
    monkeypatch.setitem(sys.modules, "graphviz", None)
    assert one._repr_svg_() is None
    assert one._repr_mimebundle_() == expected
    assert repr(one).startswith("<graph of 2 operations and 1 leaves;")
    monkeypatch.setattr("adjoint.autograd.drawing.MERMAIDS", 2)  # x * x takes x twice
    assert one._repr_mimebundle_() == {"text/plain": repr(one)}


@pytest.mark.skipif(sys.platform == "win32", reason="the stand-in is a script")
def test_with_graphviz_it_is_given_its_picture(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    pytest.importorskip("graphviz")
    program = tmp_path / "dot"
    program.write_text(
        f"#!{sys.executable}\nimport sys\nprint('<svg>' + str(len(sys.stdin.read())) + '</svg>')\n", encoding="utf-8"
    )
    program.chmod(0o755)
    monkeypatch.setenv("PATH", str(tmp_path))
    one = drawn()
    bundle = one._repr_mimebundle_()
    assert bundle.keys() == {"image/svg+xml", "text/plain"}
    found = re.fullmatch(r"<svg>(\d+)</svg>\s*", bundle["image/svg+xml"])
    assert found is not None
    assert len(one.dot()) <= int(found[1]) <= len(one.dot()) + 1
    monkeypatch.setattr("adjoint.autograd.drawing.LAID_OUT", 2)
    assert one._repr_svg_() is None
