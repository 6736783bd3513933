"""Tests of adjoint.optim."""
