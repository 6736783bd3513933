"""Tests of recording functions and replaying them."""
