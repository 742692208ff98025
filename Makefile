# Everything happens in .venv; the same targets serve people and CI.
PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
PYTEST := $(VENV)/bin/python -m pytest --numprocesses auto --maxprocesses 4 --dist worksteal --durations 15
export PIP_DISABLE_PIP_VERSION_CHECK := 1

.PHONY: run test test-fast check check-full schemas clean

run: $(VENV)/.run-stamp  ## from nothing to a report: search the embedded data with the transformer study
	$(BIN)/spectrosim-search run --study transformer --report reports/transformer.html

test: $(VENV)/.dev-stamp  ## the whole suite
	$(PYTEST) -m "not full"

test-fast: $(VENV)/.dev-stamp  ## the suite without its slow tests
	$(PYTEST) -m "not full and not slow"

check: $(VENV)/.dev-stamp  ## style and types
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy

check-full: check test  ## everything, full-quality checks included: hours; what is measured is kept in runs/ and gone on with
	$(BIN)/python -m pytest -m full

schemas: $(VENV)/.dev-stamp  ## write the JSON Schemas that editors use
	$(BIN)/python -m spectrosim_search.search.documents schemas

$(VENV)/bin/python:
	$(PYTHON) -m venv $(VENV)

$(VENV)/.run-stamp: pyproject.toml | $(VENV)/bin/python
	$(BIN)/python -m pip install --quiet --editable .
	touch $@

$(VENV)/.dev-stamp: pyproject.toml | $(VENV)/bin/python
	$(BIN)/python -m pip install --quiet --editable ".[dev]"
	touch $@ $(VENV)/.run-stamp

clean:
	rm -rf $(VENV) build dist .mypy_cache .ruff_cache .pytest_cache
