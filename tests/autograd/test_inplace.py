"""Writing in place: PyTorch's value and gradient, or a ``GraphError``; never something else."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings, strategies as st

import adjoint as ad
from adjoint.errors import GraphError
from adjoint.testing import check_gradients

from .oracle import agree, torch

pytestmark = pytest.mark.usefixtures("backend")


def leaf(*values: float) -> ad.Tensor:
    return ad.tensor(list(values), dtype="float64", requires_grad=True)


def test_a_changed_saved_value_is_refused_naming_the_operation_and_the_line() -> None:
    x, c = leaf(1.0, 2.0), ad.tensor([3.0, 4.0], dtype="float64")
    y = x * c
    c[0] = 0.0
    with pytest.raises(GraphError, match=r"'multiply' reads was changed in place by '__setitem__' at .*test_inplace.py:\d+"):
        y.sum().backward()


WRITES: dict[str, Any] = {
    "a view of it": lambda c: c[1:].add_(1),
    "its transpose": lambda c: c.reshape(2, 1).t().zero_(),
    "its detached self": lambda c: c.detach().fill_(1),
    "its data": lambda c: c.data.mul_(2),
    "itself under no_grad": lambda c: ad.no_grad()(c.copy_)(ad.zeros(2)),
    "a subtraction": lambda c: c.sub_(1),
    "a division": lambda c: c.div_(2),
    "a power": lambda c: c.pow_(2),
    "a clamp": lambda c: c.clamp_(0, 1),
    "a mask": lambda c: c.masked_fill_(c > 3, 0),
}


@pytest.mark.parametrize("write", WRITES)
def test_a_saved_value_changed_through_anything_that_shares_its_memory_is_refused(write: str) -> None:
    x, c = leaf(1.0, 2.0), ad.tensor([3.0, 4.0], dtype="float64")
    y = x * c
    WRITES[write](c)
    with pytest.raises(GraphError, match="changed in place"):
        y.sum().backward()


def test_a_saved_result_that_was_changed_is_refused() -> None:
    x = leaf(1.0, 2.0)
    y = x.exp()
    y += 1
    with pytest.raises(GraphError, match=r"'exp'.*'add_'"):
        y.sum().backward()


def test_a_write_to_what_no_rule_reads_is_allowed() -> None:
    x, c = leaf(1.0, 2.0), ad.tensor([3.0, 4.0], dtype="float64")
    y = x + c
    c.zero_()
    y.sum().backward()
    assert x.grad.tolist() == [1.0, 1.0]


def test_a_leaf_that_requires_a_gradient_is_not_changed_but_under_no_grad() -> None:
    x = leaf(1.0, 2.0)
    for write in (lambda: x.add_(1), lambda: x.zero_(), lambda: x.__setitem__(0, 5.0)):
        with pytest.raises(GraphError, match="leaf"):
            write()
    with ad.no_grad():
        x -= 0.5
        x[0] = 7.0
    assert (x.tolist(), x.requires_grad, x.is_leaf) == ([7.0, 1.5], True, True)


IN_PLACE = """abs_ neg_ sign_ sgn_ reciprocal_ exp_ exp2_ expm1_ log_ log1p_ log2_ log10_ sqrt_ rsqrt_ square_ sin_ cos_ tan_
asin_ acos_ atan_ sinh_ cosh_ tanh_ sigmoid_ relu_ logit_ erf_ erfc_ erfinv_ floor_ ceil_ round_ trunc_ frac_ sinc_
nan_to_num_ deg2rad_ rad2deg_ absolute_ negative_""".split()
RECORDED: dict[str, Any] = {
    "arithmetic": lambda m, x, y: (x * 1).add_(y).mul_(3).sub_(y, alpha=2).div_(2),
    "operators": lambda m, x, y: inplace_operators(x * 1, y),
    "multiplied by what needs a gradient": lambda m, x, y: (x + 1).mul_(y).div_(y + 5),
    "functions": lambda m, x, y: [getattr(x.abs() / 4 + 0.3, name)() for name in IN_PLACE],
    "functions of two": lambda m, x, y: [
        (x * 1).clamp_min_(0.1),
        (x * 1).clamp_max_(0.1),
        (x * 1).fmod_(y),
        (x * 1).remainder_(0.7),
        (x * 1).addcmul_(x, y, value=2),
        (x * 1).addcdiv_(x, y + 5),
        (x * 1).lerp_(y, 0.3),
        (x * 1).ldexp_(y),
        (x * 1).xlogy_(y.exp()),
        (x * 1).copysign_(y),
        (x * 1).hypot_(y),
        (x * 1).atan2_(y),
        (x.abs() + 1).float_power_(y),
        (x * 1).subtract_(y).multiply_(x).divide_(y + 5),
        (x * 1).div_(0.3, rounding_mode="trunc"),
        (x * 1).round_(decimals=1),
        m.relu_(x * 1),
    ],
    "its own power": lambda m, x, y: (x * 2).pow_(2),
    "clamped": lambda m, x, y: (x * 2).clamp_(-0.5, 0.5),
    "filled": lambda m, x, y: [(x * 2).zero_(), (x * 2).fill_(3.0), (x * 2).masked_fill_(y > 0, 1.0)],
    "copied into": lambda m, x, y: m.zeros(3, dtype=m.float64).copy_(x * y),
    "a constant becomes recorded": lambda m, x, y: written(m.ones(3, dtype=m.float64), x),
    "a float32 takes a float64": lambda m, x, y: m.zeros(3).add_(x).double(),
    "row by row": lambda m, x, y: row_by_row(m, x, y),
}


def inplace_operators(a: Any, b: Any) -> Any:
    a += b
    a *= 2
    a -= 1
    a /= 3
    return a


def written(a: Any, b: Any) -> Any:
    a[1:] = b[:2] * b[1:]
    return a * a


def row_by_row(m: Any, x: Any, y: Any) -> Any:
    out = m.zeros(3, 3, dtype=m.float64)
    for i in range(3):
        out[i] = x * y[i]
    return out @ out


@pytest.mark.parametrize("case", RECORDED)
def test_recorded_writes_have_pytorchs_gradient_to_second_order(case: str) -> None:
    agree(RECORDED[case], np.array([0.5, -1.0, 2.0]), np.array([1.5, 2.5, -0.5]), second=True, rtol=1e-6)


def test_retain_grad_and_hooks_follow_pytorch_through_a_write() -> None:
    def run(m: Any, x: Any) -> Any:
        y = x * 2
        y.retain_grad()
        y.mul_(3)
        (y * y).sum().backward()
        return [y.grad, x.grad]

    for a, b in zip(run(ad, leaf(1.0, 2.0)), run(torch, torch.tensor([1.0, 2.0], requires_grad=True)), strict=True):
        assert a.tolist() == b.tolist()


def test_a_write_that_does_not_fit_is_refused() -> None:
    x = ad.ones(2)
    for write, error in (
        (lambda: x.add_(ad.ones(3, 2)), ValueError), (lambda: ad.tensor([1]).add_(0.5), TypeError),
        (lambda: x.__setitem__(5, 1.0), IndexError),
        (lambda: x.__setitem__(slice(None), ad.ones(3)), ValueError), (lambda: x.mul_(ad.ones(3)), ValueError),
    ):  # fmt: skip
        with pytest.raises(error):
            write()
    assert x.tolist() == [1.0, 1.0]


VIEWS_WRITTEN: dict[str, Any] = {
    "the base, and a view taken before": lambda m, base, seen, x: (base.mul_(x), seen * 2),
    "a view, and the base": lambda m, base, seen, x: (seen.mul_(x[0]), base * 2),
    "a view, and another": lambda m, base, seen, x: (seen.add_(x[0]), base.t() * 3, base[1] * 2, base.reshape(-1) * 4),
    "a view of a view": lambda m, base, seen, x: (base[1].unsqueeze(0)[:, 1:].mul_(x[1:]), base * 2, seen * 3),
    "a view taken after a write": lambda m, base, seen, x: (base.mul_(x), base[0].mul_(x), base.t()[1].sin_(), base * 1),
    "a transposed view": lambda m, base, seen, x: (base.t()[1:].copy_(x[:2] * 3), base * 2),
    "a part of a reshaped transpose": lambda m, base, seen, x: (base.reshape(3, 2)[2].mul_(x[:2]), base * 2, seen * 2),
    "a diagonal": lambda m, base, seen, x: (base.diagonal().mul_(x[:2]), base.t().diagonal(-1).add_(x[0]), base * 2, seen * 2),
    "a constant's view": lambda m, base, seen, x: written_view(m, m.zeros(2, 3, dtype=m.float64), x),
    "a view of itself": lambda m, base, seen, x: (base[0].copy_(base[1] + x), base * 2),
    "several": lambda m, base, seen, x: [base[i, 1:].mul_(x[:2]) for i in (0, 1, 0)] + [base.exp()],
    "a view, unseen until used": lambda m, base, seen, x: (base[0].exp_(), seen.exp(), base.sum()),
}


def written_view(m: Any, constant: Any, x: Any) -> Any:
    before, row = constant.t(), constant[0]
    assert not before.requires_grad
    row.add_(x)
    assert before.requires_grad
    return before * x[0], constant * 2


@pytest.mark.parametrize("case", VIEWS_WRITTEN)
def test_writes_through_views_have_pytorchs_gradient_to_second_order(case: str) -> None:
    def run(m: Any, x: Any, y: Any) -> Any:
        base = y * 1
        return VIEWS_WRITTEN[case](m, base, base[:, 1], x)

    agree(run, np.array([0.5, -1.0, 2.0]), np.array([[1.5, 2.5, -0.5], [0.1, 0.2, 0.3]]), second=True, rtol=1e-9)


def test_a_part_that_a_rule_reads_may_be_a_view_of_what_is_written_to_elsewhere() -> None:
    def halves(x: Any) -> Any:  # PyTorch, which counts writes to the whole, refuses it
        base = x * 1
        base[0].copy_(base[1] * base[2])
        return base * base

    check_gradients(halves, ad.tensor([0.5, -1.0, 2.0]))


RESHAPED: dict[str, Any] = {
    "transposed": lambda m, base, x: (base.t_().mul_(x[:2]), base * 2),
    "axes exchanged": lambda m, base, x: (base.transpose_(0, 1)[0].mul_(x[:2]), base.exp()),
    "an axis more": lambda m, base, x: (base.unsqueeze_(1).mul_(x), base * 1),
    "an axis less": lambda m, base, x: (base[:1].squeeze_(0).mul_(x), base * 1),
    "a view of it": lambda m, base, x: (base[:, 1:].t_().mul_(x[:2]), base * 3),
}


@pytest.mark.parametrize("case", RESHAPED)
def test_changes_of_shape_in_place_have_pytorchs_gradient(case: str) -> None:
    run = lambda m, x, y: RESHAPED[case](m, y * 1, x)  # noqa: E731
    agree(run, np.array([0.5, -1.0, 2.0]), np.array([[1.5, 2.5, -0.5], [0.1, 0.2, 0.3]]), second=True)


SEEN_BEFORE: dict[str, Any] = {
    "read": lambda m, base, seen, x: (base.t_(), seen * 2),
    "after a write before": lambda m, base, seen, x: (base[1].mul_(x), base.t_(), seen * 2, base * 3),
    "after a write since": lambda m, base, seen, x: (base.t_(), base[0].mul_(x[0]), seen * 2, base * 3),
    "written to itself": lambda m, base, seen, x: (base.unsqueeze_(0), seen.mul_(x), base * 3),
    "after two changes": lambda m, base, seen, x: (base.t_().unsqueeze_(1), base.mul_(x[0]), seen * 2, base * 3),
}


@pytest.mark.parametrize("case", SEEN_BEFORE)
def test_a_view_taken_before_its_bases_shape_changed_has_pytorchs_gradient_or_is_refused(case: str) -> None:
    def run(m: Any, x: Any, y: Any) -> Any:
        base = y * 1
        return SEEN_BEFORE[case](m, base, base[1], x)

    agree(run, np.array([0.5, -1.0, 2.0]), np.array([[1.5, 2.5, -0.5], [0.1, 0.2, 0.3]]), second=True)


def test_a_leafs_shape_is_not_changed_in_place() -> None:
    with pytest.raises(GraphError, match="leaf"):
        leaf(1.0, 2.0).unsqueeze_(0)


def test_what_contiguous_gives_is_a_copy_in_order_where_the_memory_is_not() -> None:
    def run(m: Any, x: Any, y: Any) -> Any:
        base = y * 1
        copied = base.t().contiguous()
        copied.mul_(x[0])
        spread = x.expand(2, 3).contiguous()
        spread[0] = 9.0
        return [base, copied.view(-1), spread, base.contiguous() * 2]

    agree(run, np.array([0.5, -1.0, 2.0]), np.array([[1.5, 2.5, -0.5], [0.1, 0.2, 0.3]]), second=True)
    x = ad.ones(2, 3)
    assert x.contiguous() is x


def test_retained_gradients_of_a_view_and_its_base_are_those_after_the_write() -> None:
    def run(m: Any, x: Any) -> Any:
        base = x * 2
        base.retain_grad()
        base[:1].mul_(3)
        (base * base).sum().backward()
        return [base.grad, x.grad]

    for a, b in zip(run(ad, leaf(1.0, 2.0)), run(torch, torch.tensor([1.0, 2.0], requires_grad=True)), strict=True):
        assert a.tolist() == b.tolist()


def test_a_leaf_is_not_changed_through_a_view_of_it_and_what_is_spread_out_is_not_written_to() -> None:
    x = leaf(1.0, 2.0)
    for write in (lambda: x[0].mul_(2), lambda: x[:1].__setitem__(0, 1.0), lambda: x.reshape(2, 1).t().add_(1)):
        with pytest.raises(GraphError, match="through a view"):
            write()
    with pytest.raises(ValueError, match="cannot be written to"):
        (x * 1).expand(3, 2).mul_(2)
    assert x.tolist() == [1.0, 2.0]


def test_what_shares_memory_by_no_view_is_refused_after_a_recorded_write() -> None:
    x = leaf(1.0, 2.0)
    base = ad.zeros(2, dtype="float64")
    stale = base.detach()
    base[0] = x[0]
    for use in (lambda: stale + 1, lambda: stale.__setitem__(0, 5.0), lambda: stale.fill_(1), lambda: stale.add_(1)):
        with pytest.raises(GraphError, match="shares its memory"):
            use()
    with ad.no_grad():
        assert (base[:1] + 1).tolist() == [2.0]
    base[:1].sum().backward()
    assert x.grad.tolist() == [1.0, 0.0]


# --- random programs -----------------------------------------------------------------------------------------------------------

INDICES = [0, -1, (slice(None), 1), slice(1, None), (0, slice(None, 2)), (1, 2), ..., (slice(None), slice(None, None, 2))]
STEPS: list[Any] = [
    ("view", lambda m, a, b, i: a[INDICES[i]]),
    ("transposed", lambda m, a, b, i: a.t() if a.ndim == 2 else a[None]),
    ("flattened", lambda m, a, b, i: a.reshape(-1)),
    ("detached", lambda m, a, b, i: a.detach()),
    ("no_grad view", lambda m, a, b, i: no_grad_view(m, a, INDICES[i])),
    ("product", lambda m, a, b, i: a * (b.sum() if a.shape != b.shape else b)),
    ("sine", lambda m, a, b, i: m.sin(a)),
    ("exponential", lambda m, a, b, i: m.exp(a * 0.1)),
    ("constant", lambda m, a, b, i: m.ones(2, 3, dtype=m.float64)),
    ("clone", lambda m, a, b, i: a.clone()),
    ("write number", lambda m, a, b, i: write(a, INDICES[i], 0.5)),
    ("write sum", lambda m, a, b, i: write(a, INDICES[i], b.sum())),
    ("write same", lambda m, a, b, i: write(a, ..., b * 2) if a.shape == b.shape else a),
    ("scale in place", lambda m, a, b, i: a.mul_(0.5)),
    ("multiply in place", lambda m, a, b, i: a.mul_(b if a.shape == b.shape else b.sum())),
    ("add in place", lambda m, a, b, i: a.add_(b if a.shape == b.shape else b.mean())),
    ("square in place", lambda m, a, b, i: a.pow_(2)),
    ("clamp in place", lambda m, a, b, i: a.clamp_(-1.0, 1.0)),
    ("zero under no_grad", lambda m, a, b, i: no_grad_zero(m, a, INDICES[i])),
]


def no_grad_view(m: Any, a: Any, index: Any) -> Any:
    with m.no_grad():
        return a[index]


def no_grad_zero(m: Any, a: Any, index: Any) -> Any:
    with m.no_grad():
        a[index] = 0.0
    return a


def write(a: Any, index: Any, value: Any) -> Any:
    a[index] = value
    return a


def run(m: Any, program: list[tuple[int, int, int, int]]) -> tuple[list[Any], list[Any]]:
    x = m.tensor([[0.3, -1.2, 0.7], [1.1, 0.4, -0.6]], dtype=m.float64, requires_grad=True)
    y = m.tensor([[1.3, 0.2, -0.7], [0.1, -0.4, 0.6]], dtype=m.float64, requires_grad=True)
    made: list[Any] = [x, y, x * 1, m.zeros(2, 3, dtype=m.float64)]
    for operation, i, j, index in program:
        made.append(STEPS[operation][1](m, made[i % len(made)], made[j % len(made)], index))
    total = sum((v * (k + 1)).sum() for k, v in enumerate(made))
    grads = m.autograd.grad(total, [x, y], allow_unused=True)
    return [v.detach().cpu().numpy() for v in made], [None if g is None else g.cpu().numpy() for g in grads]


STEP = st.tuples(st.integers(0, len(STEPS) - 1), st.integers(2, 9), st.integers(0, 9), st.integers(0, len(INDICES) - 1))


@settings(max_examples=250)
@given(st.lists(STEP, min_size=1, max_size=7))
def test_random_programs_of_views_and_writes_give_pytorchs_result_or_are_refused(program: list[tuple[int, int, int, int]]) -> None:
    try:
        wanted, wanted_grads = run(torch, program)
    except (RuntimeError, IndexError):
        return  # PyTorch refuses it
    try:
        values, grads = run(ad, program)
    except GraphError:
        return
    for a, b in zip(values, wanted, strict=True):
        np.testing.assert_allclose(a, b, 1e-9, 1e-12)
    for g, h in zip(grads, wanted_grads, strict=True):
        assert (g is None) == (h is None)
        if h is not None:
            np.testing.assert_allclose(g, h, 1e-9, 1e-12)


VIEWS_OF_A_NUMBER: dict[str, Any] = {
    "reshaped": lambda s: s.reshape(1),
    "indexed": lambda s: s[None],
    "all of it": lambda s: s[...],
    "expanded": lambda s: s.expand(2),
    "with an axis": lambda s: s.unsqueeze(0),
    "detached": lambda s: s.detach(),
}


@pytest.mark.parametrize("view", VIEWS_OF_A_NUMBER)
def test_a_view_of_a_0_d_result_is_one(view: str) -> None:
    def run(m: Any, x: Any) -> Any:
        total = x.detach().sum()
        seen = VIEWS_OF_A_NUMBER[view](total)
        total.mul_(0.5)
        return [seen, total]

    agree(run, np.array([1.0, 2.0]))


@pytest.mark.parametrize("view", [view for view in VIEWS_OF_A_NUMBER if view != "detached"])
def test_a_view_of_a_0_d_result_follows_a_recorded_write(view: str) -> None:
    def run(m: Any, x: Any) -> Any:
        total = x.sum()
        seen = VIEWS_OF_A_NUMBER[view](total)
        total.mul_(x[0])
        return [seen * 2, total]

    agree(run, np.array([1.0, 2.0]), second=True)


def test_the_ledger_of_writes_stays_small_and_still_refuses() -> None:
    from adjoint.autograd.versions import MAX_RANGES, writes

    rows, w = ad.zeros(1000, 2, dtype="float64"), leaf(1.0, 2.0)
    y = (rows * w).sum()
    for i in range(1000):
        rows[i].add_(1)
    assert len(writes._last[id(rows.backend.owner(rows._array))]) <= MAX_RANGES
    with pytest.raises(GraphError, match="changed in place"):
        y.backward()
