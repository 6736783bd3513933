"""Every primitive of the registry: its value, its derivatives to second order, its dtypes, corners, and the same elsewhere.

What is checked by differences is checked on NumPy. On every other backend at hand, value, first and second derivative have to
be NumPy's. :mod:`tests.autograd.exemptions` has what a primitive is let off, with the reason.
"""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from hypothesis import HealthCheck, Phase, assume, find, given, settings, strategies as st
from hypothesis.errors import NoSuchExample

import adjoint as ad
from adjoint.autograd.primitive import registry
from adjoint.backends import Backend
from adjoint.testing import assert_close, check_gradients
from adjoint.testing.plugin import available

from .exemptions import CHECKS, EXEMPT
from .samples import SAMPLES, Sample, laid_out

BUILT_IN = {name: p for name, p in registry.items() if p.__module__.startswith("adjoint.autograd.")}
ALL = sorted(BUILT_IN)
DIFFERENTIABLE = [name for name in ALL if BUILT_IN[name].differentiable]
DRAWN = st.data()
EXAMPLES = {check.title: check.examples for check in CHECKS}
NUMPY = ad.backends.get("numpy")


def pytest_generate_tests(metafunc: pytest.Metafunc) -> None:
    if "other" in metafunc.fixturenames:
        metafunc.parametrize("other", [b for b in metafunc.config.getoption("--backend") or available() if b != "numpy"])


@pytest.fixture(autouse=True)
def _samples_are_numpys() -> Any:
    with ad.use_backend("numpy"):
        yield


def unless_exempt(check: str, names: list[str]) -> list[str]:
    return [name for name in names if name not in EXEMPT[check]]


def floating(inputs: list[Any]) -> list[int]:
    return [i for i, x in enumerate(inputs) if x.dtype == np.float64]


def varying(name: str, inputs: list[Any]) -> list[int]:
    """The floating-point inputs that have a derivative."""
    primitive = BUILT_IN[name]
    return [i for i in floating(inputs) if primitive.joint is not None or i in primitive.rules]


def first_sample(name: str, condition: Any, what: str) -> Sample:
    """A sample that meets ``condition``; the primitive fails by name if there is none."""
    search = settings(max_examples=300, derandomize=True, database=None, phases=[Phase.generate], suppress_health_check=HealthCheck)
    try:
        return find(SAMPLES[name], condition, settings=search)
    except NoSuchExample:
        raise AssertionError(f"{name}: its sample never draws {what}; draw it, or exempt it with a reason") from None


# --- completeness ------------------------------------------------------------------------------------------------------------


def test_every_primitive_has_a_sample_and_every_sample_a_primitive() -> None:
    assert sorted(SAMPLES) == ALL


def test_every_differentiable_primitive_has_a_rule() -> None:
    assert [name for name in DIFFERENTIABLE if not BUILT_IN[name].rules and BUILT_IN[name].joint is None] == []


def test_every_exemption_names_a_primitive_and_says_why() -> None:
    for check, exempt in EXEMPT.items():
        assert set(exempt) <= set(ALL), check
        assert all(len(reason) > 5 for reason in exempt.values()), check


# --- values and slopes, on NumPy ---------------------------------------------------------------------------------------------


@pytest.mark.parametrize("name", ALL)
@settings(max_examples=EXAMPLES["value"])
@given(data=DRAWN)
def test_value_is_the_references_in_any_layout_and_the_dtypes_are_kept(name: str, data: Any) -> None:
    sample = data.draw(SAMPLES[name])
    inputs = [data.draw(laid_out(x)).detach() for x in sample.inputs]
    before = [x.tolist() for x in inputs]
    out = registry[name](*inputs, **sample.params)
    assert_close(out.cpu(), np.asarray(sample.value), rtol=1e-12, atol=1e-12, equal_nan=True)
    if BUILT_IN[name].differentiable and name != "astype":
        lower = [x.float() if x.dtype is ad.float64 else x for x in inputs]
        assert registry[name](*lower, **sample.params).dtype is ad.float32
    assert repr([x.tolist() for x in inputs]) == repr(before)


@pytest.mark.parametrize("name", DIFFERENTIABLE)
@settings(max_examples=EXAMPLES["derivatives"])
@given(data=DRAWN)
def test_first_and_second_derivatives_are_the_slopes(name: str, data: Any) -> None:
    sample = data.draw(SAMPLES[name])
    inputs = [data.draw(laid_out(x)).detach() for x in sample.inputs]
    at = varying(name, sample.inputs)

    def function(*floats: Any) -> ad.Tensor:
        replaced = list(inputs)
        for i, x in zip(at, floats, strict=True):
            replaced[i] = x
        result: ad.Tensor = registry[name](*replaced, **sample.params)
        return result.cpu()

    check_gradients(function, *(inputs[i] for i in at), elements=0)


#: Their kernels go by way of abs or max, which have a kink where the function itself has none.
KINKED = {"softplus", "binary_cross_entropy_with_logits"}


@pytest.mark.parametrize("name", unless_exempt("kernel", DIFFERENTIABLE))
@settings(max_examples=EXAMPLES["kernel"])
@given(data=DRAWN)
def test_the_kernel_on_the_differentiable_namespace_has_the_rules_derivative(name: str, data: Any) -> None:
    sample = data.draw(SAMPLES[name])
    assume(name not in KINKED or all(x.all() for x in sample.inputs))
    inputs = [ad.tensor(x, requires_grad=x.dtype == np.float64) for x in sample.inputs]
    leaves = [inputs[i] for i in floating(sample.inputs)]
    by_rule = registry[name](*inputs, **sample.params)
    by_kernel = registry[name].kernel(ad.autograd.namespace.xp, *inputs, **sample.params)
    by_kernel = by_kernel[0] if registry[name].keeps else by_kernel
    assert_close(by_kernel.detach(), by_rule.detach())
    if by_rule.requires_grad:
        ones = ad.ones_like(by_rule)
        expected = ad.autograd.grad(by_rule, leaves, ones, allow_unused=True)
        found = ad.autograd.grad(by_kernel, leaves, ones, allow_unused=True)
        for x, a, b in zip(leaves, found, expected, strict=True):
            zero = ad.zeros_like(x)
            assert_close(zero if a is None else a, zero if b is None else b)


# --- dtypes and precision ----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("name", DIFFERENTIABLE)
@settings(max_examples=EXAMPLES["dtypes"])
@given(data=DRAWN)
def test_gradients_have_their_inputs_shape_dtype_and_device(name: str, data: Any) -> None:
    sample = data.draw(SAMPLES[name])
    dtypes = [data.draw(st.sampled_from(["float32", "float64"])) for _ in sample.inputs]
    inputs = [ad.tensor(x.astype(d) if x.dtype == np.float64 else x) for x, d in zip(sample.inputs, dtypes, strict=True)]
    leaves = [inputs[i].requires_grad_() for i in varying(name, sample.inputs)]
    out = registry[name](*inputs, **sample.params)
    for create_graph in (False, True):
        found = ad.autograd.grad(out, leaves, ad.ones_like(out), retain_graph=True, create_graph=create_graph, allow_unused=True)
        for x, g in zip(leaves, found, strict=True):
            assert g is None or (g.shape, g.dtype, g.device) == (x.shape, x.dtype, x.device)


#: How many units of the last place a value or gradient may be off, relative to the largest of its kind, or to one.
PLACES = 16


@pytest.mark.parametrize("name", unless_exempt("float32", DIFFERENTIABLE))
@settings(max_examples=EXAMPLES["float32 and float16"])
@given(data=DRAWN)
def test_float32_and_float16_are_as_near_to_float64_as_their_digits_allow(name: str, data: Any) -> None:
    sample = data.draw(SAMPLES[name])
    at = varying(name, sample.inputs)
    for dtype in ("float32",) if name in EXEMPT["float16"] else ("float32", "float16"):
        low = [ad.tensor(x.astype(dtype) if x.dtype.kind == "f" else x) for x in sample.inputs]
        wide = [x.detach().double() if x.dtype.kind == "float" else x for x in low]
        results = []
        for inputs in (low, wide):
            leaves = [inputs[i].requires_grad_() for i in at]
            out = registry[name](*inputs, **sample.params)
            gradients = ad.autograd.grad(out, leaves, ad.ones_like(out), allow_unused=True)
            results.append([out.detach(), *(ad.zeros_like(x) if g is None else g for g, x in zip(gradients, leaves, strict=True))])
        for found, wanted in zip(*results, strict=True):
            assert found.dtype.name in (dtype, "float64" if name == "astype" else dtype)
            scale = max([1.0, *map(abs, wanted.reshape(-1).tolist())])
            assert_close(found.double().cpu(), wanted.cpu(), rtol=0.0, atol=PLACES * float(np.finfo(dtype).eps) * scale)


# --- corners -----------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("name", unless_exempt("NaN and infinity", DIFFERENTIABLE))
@settings(max_examples=EXAMPLES["NaN"])
@given(data=DRAWN)
def test_a_nan_makes_nan_of_what_depends_on_it_and_no_other_number(name: str, data: Any) -> None:
    sample = data.draw(SAMPLES[name].filter(lambda sample: any(sample.inputs[i].size for i in varying(name, sample.inputs))))
    i = data.draw(st.sampled_from([i for i in varying(name, sample.inputs) if sample.inputs[i].size]))
    k = data.draw(st.integers(0, sample.inputs[i].size - 1))

    def values(change: float) -> Any:
        inputs = [x.copy() for x in sample.inputs]
        inputs[i].reshape(-1)[k] += change
        with NUMPY.suppress_warnings():
            return registry[name](*map(ad.tensor, inputs), **sample.params).cpu().numpy()

    swallowed_nowhere(values)
    out = values(0.0)
    if not out.size:
        return
    j = data.draw(st.integers(0, out.size - 1))

    def gradients(change: float) -> Any:
        inputs = [ad.tensor(x) for x in sample.inputs]
        leaves = [inputs[i].requires_grad_() for i in varying(name, sample.inputs)]
        result = registry[name](*inputs, **sample.params)
        g = np.ones(out.size)
        g[j] += change
        found = ad.autograd.grad(result, leaves, ad.tensor(g.reshape(out.shape)).to(result.backend), allow_unused=True)
        return np.concatenate(
            [(ad.zeros_like(x) if g is None else g).numpy().reshape(-1) for x, g in zip(leaves, found, strict=True)]
        )

    swallowed_nowhere(gradients)


def swallowed_nowhere(values: Any) -> None:
    """What changes with a number is NaN where that number is, and what is not NaN then is as it was."""
    before, moved, spoilt = values(0.0), values(1e-3), values(np.nan)
    depends = (before != moved) & ~np.isnan(before)
    assert np.isnan(spoilt[depends]).all()
    assert (np.isnan(spoilt) | (spoilt == before)).all()


@pytest.mark.parametrize("name", unless_exempt("zero size", ALL))
def test_nothing_is_computed_with_and_has_a_gradient(name: str) -> None:
    sample = first_sample(name, lambda sample: any(x.size == 0 for x in sample.inputs), "a zero-size input")
    inputs = [ad.tensor(x) for x in sample.inputs]
    at = varying(name, sample.inputs)
    out = registry[name](*(x.requires_grad_() if i in at else x for i, x in enumerate(inputs)), **sample.params)
    assert_close(out.detach().cpu(), np.asarray(sample.value), equal_nan=True)
    if BUILT_IN[name].differentiable:
        leaves = [inputs[i] for i in at]
        for x, g in zip(leaves, ad.autograd.grad(out, leaves, ad.ones_like(out), allow_unused=True), strict=True):
            assert g is None or (g.shape, g.dtype) == (x.shape, x.dtype)
    for other in set(available()) - {"numpy"}:
        agrees_with_numpy(name, sample.inputs, sample.params, ad.backends.get(other))


@pytest.mark.parametrize(
    "name", [n for n in unless_exempt("broadcasting", ALL) if len(BUILT_IN[n].inputs) > 1 or BUILT_IN[n].variadic]
)
def test_inputs_of_several_shapes_broadcast_and_their_gradients_do_not(name: str) -> None:
    sample = first_sample(name, lambda sample: len({x.shape for x in sample.inputs}) > 1, "inputs of different shapes")
    assert_close(registry[name](*map(ad.tensor, sample.inputs), **sample.params).cpu(), np.asarray(sample.value), atol=1e-12)
    if BUILT_IN[name].differentiable:
        leaves = [ad.tensor(x, requires_grad=i in varying(name, sample.inputs)) for i, x in enumerate(sample.inputs)]
        registry[name](*leaves, **sample.params).sum().backward()
        assert all(x.grad is None or x.grad.shape == x.shape for x in leaves)


# --- every other backend -----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("name", ALL)
@settings(max_examples=EXAMPLES["other backends"])
@given(data=DRAWN)
def test_value_and_derivatives_are_numpys_on_every_other_backend(name: str, other: str, data: Any) -> None:
    if other == "cupy" and name in ("eigh", "svd"):
        pytest.skip("cuSOLVER gives some vectors the other sign; the tests of linalg compare what does not depend on it")
    sample = data.draw(SAMPLES[name])
    inputs = [x.astype(data.draw(st.sampled_from(["float32", "float64"]))) if x.dtype == np.float64 else x for x in sample.inputs]
    spoilt = (
        [i for i in floating(sample.inputs) if inputs[i].size] if name in unless_exempt("NaN and infinity", DIFFERENTIABLE) else []
    )
    if spoilt and data.draw(st.booleans()):
        i = data.draw(st.sampled_from(spoilt))
        inputs[i] = inputs[i].copy()
        inputs[i].reshape(-1)[data.draw(st.integers(0, inputs[i].size - 1))] = data.draw(
            st.sampled_from([np.nan, np.inf, -np.inf, 0.0])
        )
    agrees_with_numpy(name, inputs, sample.params, ad.backends.get(other), data)


def agrees_with_numpy(name: str, inputs: list[Any], params: Any, other: Backend, data: Any = None) -> None:
    wanted = value_and_derivatives(name, [ad.tensor(x) for x in inputs], params)
    with ad.use_backend(other):
        there = [ad.tensor(x) if data is None else data.draw(laid_out(x)).detach() for x in inputs]
        found = value_and_derivatives(name, there, {key: elsewhere(value, other) for key, value in params.items()})
    assert len(found) == len(wanted)
    # What does not bring its inputs to one dtype computes in that of each: no result has more digits than the least of them.
    single = not BUILT_IN[name].promotes and any(x.dtype == np.float32 for x in inputs)
    for a, b in zip(found, wanted, strict=True):
        assert (a is None) == (b is None)
        if a is not None:
            double = a.dtype is ad.float64 and not single
            assert_close(a.cpu(), b.cpu(), rtol=1e-10 if double else 1e-4, atol=1e-10 if double else 1e-4, equal_nan=True)


def value_and_derivatives(name: str, inputs: list[ad.Tensor], params: Any) -> list[Any]:
    """The output, the gradient of a weighted sum of it, and the gradient of a weighted sum of that."""
    primitive = BUILT_IN[name]
    leaves = []
    if primitive.differentiable:
        has_rule = [i for i, x in enumerate(inputs) if x.dtype.kind == "float" and (primitive.joint or i in primitive.rules)]
        leaves = [inputs[i].requires_grad_() for i in has_rule]
    with inputs[0].backend.suppress_warnings():
        out = primitive(*inputs, **params)
        results = [out.detach()]
        for _ in range(2):
            if not leaves or not out.requires_grad:
                break
            found = ad.autograd.grad(weighted(out), leaves, create_graph=True, allow_unused=True)
            results += [g if g is None else g.detach() for g in found]
            out = sum((weighted(g) for g in found if g is not None), ad.zeros((), device=leaves[0].backend))
    return results


def weighted(x: ad.Tensor) -> ad.Tensor:
    return (x * ad.linspace(0.5, 1.5, x.numel(), dtype=x.dtype, device=x.backend).reshape(x.shape)).sum()


def elsewhere(value: Any, other: Backend) -> Any:
    """A parameter of NumPy's as it is on ``other``: arrays, dtypes and backends, in tuples too."""
    if isinstance(value, tuple):
        parts = [elsewhere(part, other) for part in value]
        return type(value)(*parts) if hasattr(value, "_fields") else tuple(parts)
    if isinstance(value, np.ndarray):
        return other.asarray(value)
    if isinstance(value, np.dtype):
        return getattr(other.xp, value.name)
    return (NUMPY if value is not NUMPY else other) if hasattr(value, "xp") else value
