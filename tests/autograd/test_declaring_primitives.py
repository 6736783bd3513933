"""Declaring primitives: what a user's own kernel and rules may say, and how a wrong one is caught."""

from __future__ import annotations

from typing import Any

import pytest

import adjoint as ad
from adjoint.autograd.primitive import registry
from adjoint.errors import GraphError
from adjoint.testing import check_gradients

pytestmark = pytest.mark.usefixtures("backend", "forget_what_is_declared")


def declared(**rules: Any) -> Any:
    @ad.primitive
    def cube_times(xp: Any, x: Any, y: Any, *, scale: float = 1.0) -> Any:
        return xp.multiply(x * x * x * scale, y)

    return cube_times.vjp(**rules)


def test_a_users_primitive_is_differentiated_to_second_order_with_broadcasting() -> None:
    cube_times = declared(
        x=lambda g, x, y, scale: g * 3.0 * x * x * y * scale,
        y=lambda g, x, scale: g * x * x * x * scale,
    )
    check_gradients(lambda x, y: cube_times(x, y, scale=2.0), ad.tensor([[0.5], [1.5]]), ad.tensor([1.0, 2.0, 3.0]))
    assert cube_times(ad.tensor(2.0), 3.0).item() == 24.0
    assert cube_times(ad.tensor(2.0), 3.0, 0.5).item() == 12.0


def test_a_wrong_rule_is_caught_and_named() -> None:
    cube_times = declared(x=lambda g, x, y, scale: g * 2.0 * x * x * y * scale, y=lambda g, x, scale: g * x * x * x * scale)
    with pytest.raises(AssertionError, match=r"order 1 by input 0, element \(0,\) \(= 0.5\): analytic .*, numeric"):
        check_gradients(cube_times, ad.tensor([0.5]), ad.tensor([2.0]))


def test_a_rule_that_is_right_once_but_not_differentiable_itself_is_caught() -> None:
    def frozen(g: Any, x: Any, y: Any, scale: float) -> Any:
        constant = x.detach() if isinstance(x, ad.Tensor) else x
        return g * 3.0 * constant * constant * y * scale

    cube_times = declared(x=frozen, y=lambda g, x, scale: g * x * x * x * scale)
    with pytest.raises(AssertionError, match="derivative of order 2 by input 0"):
        check_gradients(cube_times, ad.tensor([0.5]), ad.tensor([2.0]))
    check_gradients(cube_times, ad.tensor([0.5]), ad.tensor([2.0]), order=1)


def test_an_input_without_a_rule_is_refused_where_it_requires_a_gradient() -> None:
    cube_times = declared(x=lambda g, x, y, scale: g * 3.0 * x * x * y * scale)
    x, y = ad.tensor(2.0, requires_grad=True), ad.tensor(3.0, requires_grad=True)
    with pytest.raises(GraphError, match=r"cube_times: its input 'y' requires a gradient, and there is no derivative by it"):
        cube_times(x, y)
    cube_times(x, y.detach()).backward()
    assert x.grad.item() == 36.0


def test_a_primitive_without_rules_is_refused_unless_it_says_that_it_is_not_differentiable() -> None:
    x = ad.tensor(2.0, requires_grad=True)
    with pytest.raises(GraphError, match="no derivative by it"):
        declared()(x, x)
    assert not (x > 1).requires_grad
    (x // 2).backward()
    assert x.grad.item() == 0.0


def test_only_what_a_needed_rule_names_is_kept() -> None:
    cube_times = declared(x=lambda g, x, y, scale: g * 3.0 * x * x * y * scale, y=lambda g, x, scale: g * x * x * x * scale)
    x, y = ad.tensor(2.0, requires_grad=True), ad.tensor(3.0, requires_grad=True)
    by_y = cube_times(x.detach(), y).grad_fn
    assert [getattr(kept, "shape", kept) for kept in by_y.saved] == [(), 1.0]  # x, and the parameter
    assert by_y.saved[0] is x.detach()._array
    assert (x + y).grad_fn.saved == ()


def test_a_joint_rule_returns_the_cotangents_of_all_inputs() -> None:
    @ad.primitive
    def sum_and_scale(xp: Any, x: Any, y: Any) -> Any:
        return (x + y) * 2.0

    sum_and_scale.vjp(lambda g: (g * 2.0, g * 2.0))
    check_gradients(sum_and_scale, ad.tensor([1.0, 2.0]), ad.tensor(3.0))


def test_mistakes_in_a_declaration_are_named() -> None:
    with pytest.raises(TypeError, match="cube_times: a derivative rule asks for 'z'; it may ask for g, out, xp, x, y, scale"):
        declared(x=lambda g, z: g)
    registry.pop("cube_times")
    with pytest.raises(TypeError, match="no input 'w'"):
        declared(w=lambda g: g)

    def exp(xp: Any, x: Any) -> Any:
        return x

    with pytest.raises(ValueError, match="already a primitive 'exp'"):
        ad.primitive(exp)
    with pytest.raises(TypeError, match=r"scaled: parameters of a primitive .* behind a star"):

        @ad.primitive
        def scaled(xp: Any, x: Any, k: float = 2.0) -> Any:
            return x * k


def test_a_primitive_that_is_declared_again_takes_its_place() -> None:
    declared(x=lambda g: g * 0.0)
    cube_times = declared(x=lambda g, x, y, scale: g * 3.0 * x * x * y * scale, y=lambda g, x, scale: g * x * x * x * scale)
    check_gradients(cube_times, ad.tensor([0.5]), ad.tensor([2.0]))
    assert registry["cube_times"] is cube_times


def declared_to_keep(asked: list[Any]) -> Any:
    @ad.primitive(keeps=True)
    def exponential_times(xp: Any, x: Any, y: Any) -> Any:
        grown = xp.exp(x)
        return grown * y, (grown, (y,))

    def back(g: Any, kept: Any, wanted: tuple[str, ...]) -> Any:
        asked.append(wanted)
        grown, (y,) = kept
        return g * grown * y if "x" in wanted else None, g * grown if "y" in wanted else None

    return exponential_times.vjp(back)


def test_what_a_kernel_keeps_its_joint_rule_reads_to_any_order() -> None:
    times = declared_to_keep([])
    check_gradients(times, ad.tensor([0.5, -1.0]), ad.tensor([[2.0], [3.0]]), order=3)
    check_gradients(lambda x, y: ad.checkpoint(times, x, y), ad.tensor([0.5, -1.0]), ad.tensor([2.0, 3.0]), order=1)


def test_a_joint_rule_is_told_which_cotangents_are_wanted() -> None:
    asked: list[Any] = []
    times = declared_to_keep(asked)
    x, y = ad.tensor(0.0, requires_grad=True), ad.tensor(2.0, requires_grad=True)
    times(x, 3.0).backward()
    times(x.detach(), y).backward()
    times(x, y).backward()
    ad.autograd.grad(times(x, y), [y])
    assert asked == [("x",), ("y",), ("x", "y"), ("y",)]
    assert (x.grad.item(), y.grad.item()) == (5.0, 2.0)  # type: ignore[union-attr]


def test_what_was_kept_is_let_go_of_and_is_checked_for_writes() -> None:
    times = declared_to_keep([])
    x, y = ad.tensor([0.0], requires_grad=True), ad.tensor([2.0])
    out = times(x, y)
    y.add_(1.0)
    with pytest.raises(GraphError, match="changed in place by 'add_'"):
        out.sum().backward()
    out = times(x, y)
    out.sum().backward()
    with pytest.raises(GraphError, match="retain_graph=True"):
        out.sum().backward()


def test_kept_is_refused_of_a_kernel_that_keeps_nothing() -> None:
    with pytest.raises(TypeError, match="asks for 'kept'"):
        declared(x=lambda g, kept: g * kept[0])
