# `make train` and `make test` install everything they need; a second call installs nothing.
PYTHON ?= python3
BIN := .venv/bin
export PIP_DISABLE_PIP_VERSION_CHECK = 1

.PHONY: train test lint types check bench bench-quick gpu-check mutants op-report notebooks notebooks-write clean

train: .venv/.train
	$(BIN)/adjoint train iris --hidden 50,50,50 --optimizer adam --lr 0.01 --epochs 60 --batch-size 30 --backend numpy --seed 0

test: .venv/.dev
	$(BIN)/python -m pytest -n auto

lint: .venv/.dev
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .

types: .venv/.dev
	$(BIN)/mypy

check: lint types test

# Compares with PyTorch, JAX and others. Takes about ten minutes, the quick one under two.
bench: .venv/.bench
	$(BIN)/python benchmarks/bench.py

bench-quick: .venv/.bench
	$(BIN)/python benchmarks/bench.py --quick

# Mutation testing of a random sample, say ARGS="adjoint/optim --sample 40 --seed 1"; benchmarks/mutants.py explains it.
mutants: .venv/.mutants
	$(BIN)/python benchmarks/mutants.py $(ARGS)

# The whole suite on the GPU. Fails with a message if CuPy or a GPU is missing.
gpu-check:
	@$(if $(wildcard $(BIN)/python),$(BIN)/python,$(PYTHON)) benchmarks/gpu_check.py

# Writes docs/operations.md from the primitives' source; a test compares it.
op-report: .venv/.dev
	$(BIN)/python docs/op_report.py

# Runs every notebook from top to bottom; the second also stores their outputs and plots.
notebooks: .venv/.dev
	$(BIN)/python notebooks/run.py

notebooks-write: .venv/.dev
	$(BIN)/python notebooks/run.py --write

.venv/.train: pyproject.toml .venv/.made
	$(BIN)/python -m pip install --quiet --editable '.[cli]'
	@touch $@

.venv/.dev: pyproject.toml .venv/.made
	$(BIN)/python -m pip install --quiet --editable '.[dev]'
	@touch $@ .venv/.train

.venv/.mutants: pyproject.toml .venv/.dev
	$(BIN)/python -m pip install --quiet --no-deps 'cosmic-ray==8.7.0' # whose operators alone are used: they need parso and attrs
	$(BIN)/python -m pip install --quiet parso attrs
	@touch $@

.venv/.bench: pyproject.toml .venv/.made
	$(BIN)/python -m pip install --quiet --editable '.[bench]'
	@touch $@ .venv/.dev .venv/.train

# Recreates an incomplete environment, as Debian without python3-venv leaves behind.
.venv/.made:
	@rm -rf .venv
	$(PYTHON) -m venv .venv
	@touch $@

clean:
	rm -rf .venv runs .pytest_cache .mypy_cache .ruff_cache .hypothesis
