"""Every primitive of the registry: its value, its derivatives to second order, its dtypes, and its rules on Tensors."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st

import adjoint as ad
from adjoint.autograd.primitive import registry
from adjoint.testing import assert_close, check_gradients

from .samples import SAMPLES, Sample, laid_out

pytestmark = pytest.mark.usefixtures("backend")
BUILT_IN = {name: p for name, p in registry.items() if p.__module__.startswith("adjoint.autograd.")}
DIFFERENTIABLE = [name for name, p in BUILT_IN.items() if p.differentiable]
DRAWN = st.data()


def floating(inputs: list[Any]) -> list[int]:
    return [i for i, x in enumerate(inputs) if x.dtype == np.float64]


def test_every_primitive_has_a_sample_and_every_sample_a_primitive() -> None:
    assert sorted(BUILT_IN) == sorted(SAMPLES)


def drawn_tensors(data: Any, sample: Sample) -> list[ad.Tensor]:
    return [data.draw(laid_out(x)).detach() for x in sample.inputs]


@pytest.mark.parametrize("name", sorted(BUILT_IN))
@settings(max_examples=25)
@given(data=DRAWN)
def test_value_is_numpys_in_any_layout_and_the_dtypes_are_kept(name: str, data: Any) -> None:
    sample = data.draw(SAMPLES[name])
    inputs = drawn_tensors(data, sample)
    out = registry[name](*inputs, **sample.params)
    assert_close(out, np.asarray(sample.value), rtol=1e-12, atol=1e-12, equal_nan=True)
    if registry[name].differentiable and name != "astype":
        lower = [x.float() if x.dtype is ad.float64 else x for x in inputs]
        assert registry[name](*lower, **sample.params).dtype is ad.float32
    assert [x.tolist() for x in inputs] == [x.tolist() for x in map(ad.tensor, sample.inputs)] or name.startswith("is")


@pytest.mark.parametrize("name", DIFFERENTIABLE)
@settings(max_examples=20)
@given(data=DRAWN)
def test_first_and_second_derivatives_are_the_slopes(name: str, data: Any) -> None:
    sample = data.draw(SAMPLES[name])
    inputs = drawn_tensors(data, sample)
    varying = [i for i in floating(sample.inputs) if registry[name].joint or i in registry[name].rules]

    def function(*floats: Any) -> ad.Tensor:
        replaced = list(inputs)
        for i, x in zip(varying, floats, strict=True):
            replaced[i] = x
        result: ad.Tensor = registry[name](*replaced, **sample.params)
        return result.to(inputs[0].backend)

    check_gradients(function, *(inputs[i] for i in varying), elements=2)


#: Their kernels need what is not in the standard, write to raw memory, or cross a device.
OPAQUE = {"transfer", "index_put", "erf", "astype", "normal_cdf", "cross_entropy"}
OPAQUE |= {"convolution", "convolution_transpose", "convolution_weight"}
#: Their kernels go by way of abs or max, which have a kink where the function itself has none.
KINKED = {"sigmoid", "softplus", "binary_cross_entropy_with_logits"}


@pytest.mark.parametrize("name", [n for n in DIFFERENTIABLE if n not in OPAQUE])
@settings(max_examples=8)
@given(data=DRAWN)
def test_the_kernel_on_the_differentiable_namespace_has_the_rules_derivative(name: str, data: Any) -> None:
    sample = data.draw(SAMPLES[name])
    assume(name not in KINKED or all(x.all() for x in sample.inputs))
    inputs = [ad.tensor(x, requires_grad=x.dtype == np.float64) for x in sample.inputs]
    leaves = [inputs[i] for i in floating(sample.inputs)]
    by_rule = registry[name](*inputs, **sample.params)
    by_kernel = registry[name].kernel(ad.autograd.namespace.xp, *inputs, **sample.params)
    assert_close(by_kernel.detach(), by_rule.detach())
    if by_rule.requires_grad:
        ones = ad.ones_like(by_rule)
        expected = ad.autograd.grad(by_rule, leaves, ones, allow_unused=True)
        found = ad.autograd.grad(by_kernel, leaves, ones, allow_unused=True)
        for x, a, b in zip(leaves, found, expected, strict=True):
            zero = ad.zeros_like(x)
            assert_close(zero if a is None else a, zero if b is None else b)


@pytest.mark.parametrize("name", DIFFERENTIABLE)
@settings(max_examples=8)
@given(data=DRAWN)
def test_gradients_have_their_inputs_shape_dtype_and_device(name: str, data: Any) -> None:
    sample = data.draw(SAMPLES[name])
    dtypes = data.draw(st.lists(st.sampled_from(["float32", "float64"]), min_size=len(sample.inputs), max_size=len(sample.inputs)))
    inputs = [ad.tensor(x.astype(d) if x.dtype == np.float64 else x) for x, d in zip(sample.inputs, dtypes, strict=True)]
    primitive = registry[name]
    smooth = [primitive.joint is not None or i in primitive.rules or not primitive.differentiable for i in range(len(inputs))]
    leaves = [x.requires_grad_() for x, has in zip(inputs, smooth, strict=True) if has and x.dtype.is_floating_point]
    out = primitive(*inputs, **sample.params)
    if not out.requires_grad:
        return
    for create_graph in (False, True):
        found = ad.autograd.grad(out, leaves, ad.ones_like(out), retain_graph=True, create_graph=create_graph, allow_unused=True)
        for x, g in zip(leaves, found, strict=True):
            assert g is None or (g.shape, g.dtype, g.device) == (x.shape, x.dtype, x.device)
