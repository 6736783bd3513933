"""No memory of a replay is taken by another array while something still reads it."""

from __future__ import annotations

import adjoint as ad
from adjoint.backends import Backend

from .steps import alike, arrays


def test_a_view_between_two_operations_of_a_chain_frees_nothing_that_the_chain_still_reads(backend: Backend) -> None:
    def function(x: ad.Tensor) -> ad.Tensor:
        product = x @ x
        a = x + product.transpose(0, 1)  # tile by tile, the product across the rows
        again = x.reshape(-1).reshape(300, 300)
        c = again * a
        return c.t() @ c

    captured, x = ad.capture(function), ad.randn(300, 300)
    captured(x)
    assert alike(arrays([captured(x)]), arrays([function(x)]), backend)
