"""Corners in which a quick implementation quietly differs from PyTorch."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

import adjoint as ad
from adjoint import nn, optim, testing

from .oracle import agree

pytestmark = pytest.mark.usefixtures("backend")
torch = pytest.importorskip("torch", reason="the PyTorch oracle is in the dev extra")


def test_a_gradient_keeps_its_connection_to_what_the_function_closes_over() -> None:
    w = ad.tensor(2.0, requires_grad=True)
    g = ad.grad(lambda x: w * x**3)(ad.tensor(1.0))
    (g**2 + w).backward()
    assert w.grad is not None
    assert w.grad.item() == 37.0  # d/dw (9 w^2 + w)
    value, g = ad.value_and_grad(lambda x: w * x)(ad.tensor(3.0))
    assert value.requires_grad
    assert g.requires_grad


def test_a_gradient_has_no_graph_where_nothing_else_is_behind_it_or_under_no_grad() -> None:
    assert not ad.grad(lambda x: x**3)(ad.tensor(1.0)).requires_grad
    w = ad.tensor(2.0, requires_grad=True)
    with ad.no_grad():
        value, g = ad.value_and_grad(lambda w: w**2)(w)
    assert not value.requires_grad
    assert not g.requires_grad


@pytest.mark.parametrize("view", ["flatten", "t", "detach", "__getitem__"])
def test_an_earlier_gradient_that_is_still_held_is_not_overwritten(view: str) -> None:
    w = nn.Parameter(ad.tensor([[1.0, 2.0], [3.0, 4.0]]))
    optimizer = optim.SGD([w], lr=0.0)
    (w * w).sum().backward()
    assert w.grad is not None
    held = w.grad[0] if view == "__getitem__" else getattr(w.grad, view)()
    before = held.tolist()
    for _ in range(2):
        optimizer.zero_grad()
        (w**3).sum().backward()
        optimizer.step()
        assert held.tolist() == before
        assert w.grad.tolist() == [[3.0, 12.0], [27.0, 48.0]]


def test_the_gradients_buffer_is_filled_again_when_nobody_holds_it() -> None:
    w = nn.Parameter(ad.ones(3))
    optimizer = optim.SGD([w], lr=0.1)
    memory = set()
    for _ in range(3):
        optimizer.zero_grad()
        (w * w).sum().backward()
        assert w.grad is not None
        memory.add(w.backend.extent(w.grad._array))
        optimizer.step()
    assert len(memory) == 1


def test_leaves_do_not_share_a_gradient_under_create_graph() -> None:
    a, b = (ad.ones(2, requires_grad=True) for _ in range(2))
    ((a + b) ** 2).sum().backward(create_graph=True)
    assert a.grad is not b.grad
    optim.clip_grad_norm_([a, b], 1.0)
    assert a.grad is not None
    np.testing.assert_allclose(a.grad.detach().cpu().numpy(), [0.5, 0.5], rtol=1e-6)


def test_the_gradient_of_an_intermediate_does_not_need_what_made_it() -> None:
    x = ad.ones(3, requires_grad=True)
    h = x * x
    h.sum().backward()
    (g,) = ad.autograd.grad((h * 3).sum(), h)
    assert g is not None
    assert g.tolist() == [3.0, 3.0, 3.0]


def test_surplus_arguments_are_refused() -> None:
    with pytest.raises(TypeError, match=r"exp.* 2 were given"):
        ad.exp(ad.ones(2), 7)
    with pytest.raises(TypeError, match=r"exp.* missing 1"):
        ad.exp()


def test_means_of_float16_are_taken_in_float32(backend: Any) -> None:
    if not hasattr(backend.xp, "float16"):
        pytest.skip(f"{backend.name} has no float16")
    x = ad.ones(100_000, dtype="float16")
    assert x.mean().item() == 1.0
    assert nn.functional.mse_loss(x, ad.zeros_like(x)).item() == 1.0
    assert x.mean().dtype is ad.float16


def test_the_error_function_of_float16_does_not_overflow(backend: Any) -> None:
    if not hasattr(backend.xp, "float16"):
        pytest.skip(f"{backend.name} has no float16")
    values = [-8.0, -3.0, -0.3, 0.0, 0.3, 2.0, 5.0, 100.0]
    x = ad.tensor(values, dtype="float16")
    for ours, theirs in ((ad.erf, torch.erf), (nn.functional.gelu, torch.nn.functional.gelu)):
        expected = theirs(torch.tensor(values, dtype=torch.float32)).numpy()
        np.testing.assert_allclose(ours(x).cpu().numpy(), expected, rtol=2e-3, atol=2e-3)


def test_an_integer_of_any_kind_indexes_as_a_view() -> None:
    x = ad.zeros(3)
    for i in (np.int64(0), ad.tensor(1), np.array(2)):
        x[i].fill_(1.0)
    assert x.tolist() == [1.0, 1.0, 1.0]


@pytest.mark.parametrize("p", [float("-inf"), 0, 0.5, 3])
def test_norms_of_any_order_are_pytorchs(p: float) -> None:
    values = [2.0, -3.0, 0.0]
    assert ad.norm(ad.tensor(values), p).item() == pytest.approx(torch.linalg.vector_norm(torch.tensor(values), p).item())


def test_a_range_of_floats_does_not_drift() -> None:
    found = ad.arange(1000, 1001, 0.001).cpu().numpy()
    np.testing.assert_allclose(found, torch.arange(1000, 1001, 0.001).numpy(), rtol=1e-7)  # the last place may differ


def test_lists_of_what_has_a_dtype_keep_it() -> None:
    assert ad.tensor([np.float64(1)]).dtype is ad.float64
    assert ad.tensor([ad.tensor(1.0, dtype="float64")]).dtype is ad.float64
    assert ad.tensor([1.0]).dtype is ad.float32


def test_a_gradient_that_does_not_fit_its_tensor_is_refused() -> None:
    x = ad.ones(3, requires_grad=True)
    x.grad = ad.ones(2, 3)
    with pytest.raises(ValueError, match="grad has shape"):
        x.sum().backward()
    y = ad.ones(3, requires_grad=True)
    y.register_hook(lambda g: g.double() if g.dtype is not ad.float64 else g.float())
    with pytest.raises(ValueError, match="hook returned"):
        y.sum().backward()


def test_whole_numbers_are_compared_exactly() -> None:
    with pytest.raises(AssertionError, match="1 of 1 elements differ"):
        testing.assert_close(ad.tensor(2**53), ad.tensor(2**53 + 1))


def test_no_grad_holds_in_a_generators_body_and_not_between() -> None:
    x = ad.ones(2, requires_grad=True)

    @ad.no_grad()
    def batches() -> Any:
        for _ in range(2):
            yield (x * 2).requires_grad
        return (x * 2).requires_grad

    steps = batches()
    assert next(steps) is False
    assert (x * 2).requires_grad
    assert next(steps) is False
    with pytest.raises(StopIteration) as end:
        next(steps)
    assert end.value.value is False


def test_one_switch_nests_in_itself() -> None:
    x, off = ad.ones(2, requires_grad=True), ad.no_grad()
    with off, off:
        pass
    assert (x * 2).requires_grad
    with ad.set_grad_enabled(mode=False):
        assert not (x * 2).requires_grad


@pytest.mark.parametrize("pick", [lambda x, i: ad.gather(x, 1, i), lambda x, i: ad.index_select(x, 1, i[0])])
def test_indices_into_an_axis_do_not_count_from_its_end(pick: Any) -> None:
    x = ad.tensor([[1.0, 2.0]])
    for wrong in (-1, 2):
        with pytest.raises(IndexError, match="0 to 1"):
            pick(x, ad.tensor([[wrong]]))
    assert pick(x, ad.tensor([[1]])).item() == 2.0


def test_a_view_shares_memory_or_is_refused() -> None:
    x = ad.zeros(2, 3)
    x.view(-1).fill_(1.0)
    assert x.sum().item() == 6.0
    with pytest.raises(ValueError, match=r"use \.reshape"):
        x.t().view(-1)


@pytest.mark.parametrize("name", ["amax", "amin"])
def test_nan_has_the_gradient_of_an_extreme_that_is_nan(name: str) -> None:
    values = [[1.0, float("nan"), 2.0], [1.0, 2.0, 2.0]]
    x, t = ad.tensor(values, requires_grad=True), torch.tensor(values, requires_grad=True)
    getattr(x, name)(1).sum().backward()
    getattr(t, name)(1).sum().backward()
    assert x.grad is not None
    np.testing.assert_array_equal(x.grad.cpu().numpy(), t.grad.numpy())


def test_a_variance_over_too_few_is_infinite_and_empty_log_sums_are_minus_infinity() -> None:
    assert ad.tensor([1.0, 2.0]).var(correction=3).item() == float("inf")
    with ad.backends.default().suppress_warnings():
        assert ad.logsumexp(ad.zeros(3, 0), 1).tolist() == [float("-inf")] * 3


def test_a_tape_takes_a_weight_for_each_target() -> None:
    x = ad.tensor(2.0, requires_grad=True)
    with ad.GradientTape() as tape:
        y, z = x * x, x * 3
    assert tape.gradient([y, z], x, output_gradients=[ad.tensor(1.0), ad.tensor(10.0)]).item() == 34.0


def test_a_host_array_is_written_into_any_backend() -> None:
    x = ad.zeros(3)
    x[:] = np.array([1.0, 2.0, 3.0], dtype=np.float32)
    assert x.tolist() == [1.0, 2.0, 3.0]


def test_a_condition_may_be_a_boolean() -> None:
    a, b = ad.ones(2), ad.zeros(2)
    assert ad.where(True, a, b).tolist() == [1.0, 1.0]
    assert a.masked_fill(True, 5.0).tolist() == [5.0, 5.0]


def test_one_matrix_against_a_batch_sums_its_gradient_in_the_product() -> None:
    rng = np.random.default_rng(0)
    x, w = rng.normal(size=(3, 4, 5)), rng.normal(size=(5, 2))
    ours = [ad.tensor(v, requires_grad=True) for v in (x, w)]
    theirs = [torch.tensor(v, requires_grad=True) for v in (x, w)]
    (ours[0] @ ours[1]).square().sum().backward()
    (theirs[0] @ theirs[1]).square().sum().backward()
    for a, b in zip(ours, theirs, strict=True):
        assert a.grad is not None
        np.testing.assert_allclose(a.grad.cpu().numpy(), b.grad.numpy(), rtol=1e-10)


def test_parameters_take_attributes_of_the_users() -> None:
    p = nn.Parameter(ad.ones(1))
    p.tag = "frozen"  # type: ignore[attr-defined]
    assert p.tag == "frozen"  # type: ignore[attr-defined]


def test_a_0_d_tensor_has_an_axis_to_transpose_and_leading_axes_of_one_fit_in_a_place() -> None:
    def run(m: Any, x: Any) -> Any:
        y = x * 1
        y[0] = x[1:2] * 3
        y[1:] = (x[2:] * 2).reshape(1, 1, 1)
        return [x.sum().transpose(0, -1), y]

    agree(run, np.array([1.0, 2.0, 3.0]), second=True)
    plain = ad.zeros(2)
    plain[0] = ad.ones(1)
    assert plain.tolist() == [1.0, 0.0]


HALF: dict[str, Any] = {
    "a broadcast input": lambda m, x: (m.zeros(5000, 3, dtype=m.float16) + (x[:3] * 1e-4).half()).sum(),
    "an expanded one": lambda m, x: (x[:3] * 1e-4).half().expand(4000, 3).sum(),
    "variance": lambda m, x: x.detach().half().var(),
    "deviation": lambda m, x: x.half().std(),
    "norm": lambda m, x: m.linalg.vector_norm(x.half()),
    "normalized": lambda m, x: m.nn.functional.normalize(x.detach().half(), dim=0),
    "an angle": lambda m, x: m.nn.functional.cosine_similarity(x.detach().half(), x.detach().half() + 50, 0),
    "a running sum": lambda m, x: (x.detach().half() * 0 + 1).expand(300, 10).reshape(-1).cumsum(0),
}


@pytest.mark.parametrize("case", HALF)
def test_float16_is_summed_and_squared_in_float32(case: str, backend: Any) -> None:
    if not hasattr(backend.xp, "float16"):
        pytest.skip(f"{backend.name} has no float16")
    x = np.full(10, 300.0)
    x[0] = -300.0
    agree(lambda m, x: HALF[case](m, x).double(), x, rtol=2e-3)


def test_the_gradient_of_the_loss_where_every_target_is_ignored_is_zero() -> None:
    x = ad.randn(2, 3).requires_grad_()
    for loss in (nn.functional.cross_entropy, nn.functional.nll_loss):
        x.grad = None
        value = loss(x, ad.tensor([-100, -100]))
        value.backward()
        assert value.isnan().item()
        assert x.grad.tolist() == [[0.0] * 3] * 2


def test_edges_of_indexing_powers_and_reductions_are_pytorchs() -> None:
    def run(m: Any, x: Any) -> Any:
        yes, no = x.sum() > 0, x.sum() < 0
        y = x * 1
        y[no] = 100.0
        z = x * 1
        z[yes] = 7.0
        bools = m.tensor([True, False])
        empty = [m.ones(2, 3).sum(dim=[]), m.ones(2, 3).mean(dim=()), m.ones(2, 3).amax(()), x.reshape(1, 3).sum(())]
        return [x[yes], x[no], y, z, 2**bools, m.tensor([True]) ** 2, *empty]

    agree(run, np.array([1.0, 2.0, 3.0]))
    agree(lambda m, x: m.div(x, 0.7, rounding_mode="floor") + x, np.array([1.0, 2.0]))


def test_backward_and_grad_take_inputs_several_tensors_and_zeros_for_what_is_unused() -> None:
    def run(m: Any) -> list[Any]:
        x, w, unused = (m.tensor([1.0, 2.0], requires_grad=True) for _ in range(3))
        y = x * w
        m.autograd.backward([y.sum(), (y * y).sum()], inputs=[x], retain_graph=True)
        y.sum().backward(inputs=[w])
        (zero,) = m.autograd.grad((x * 2).sum(), [unused], materialize_grads=True)
        return [x.grad.tolist(), w.grad.tolist(), zero.tolist()]

    assert run(ad) == run(torch)


def test_a_gradient_of_what_is_no_single_number_or_no_fraction_is_refused() -> None:
    with pytest.raises(ad.errors.GraphError, match="single element"):
        ad.grad(lambda x: ad.ones(3))(ad.ones(2))
    for transform in (ad.jacobian(lambda x: x.argmax()), lambda x: ad.jvp(lambda x: x.argmax(), (x,), (x,))):
        with pytest.raises(TypeError, match="int64, of which there is no derivative"):
            transform(ad.ones(2))


def test_windows_are_a_view_that_refuses_to_be_written_to() -> None:
    x = ad.arange(6.0)
    windows = x.unfold(0, 2, 1)
    x[1] = 9.0
    assert windows.tolist() == [[0.0, 9.0], [9.0, 2.0], [2.0, 3.0], [3.0, 4.0], [4.0, 5.0]]
    with pytest.raises(ValueError, match=r"cannot be written to|read-only"):
        windows.mul_(0)
