"""Tests of adjoint.nn."""
