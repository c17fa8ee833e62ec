# Everything a newcomer types. `make demo` and `make test` set up what they need.
PYTHON ?= python3
BIN := .venv/bin
.DEFAULT_GOAL := help
.PHONY: help setup demo test lint bench audit constraints

help:  ## what there is
	@grep -E '^[a-z]+:.*##' $(MAKEFILE_LIST) | sed 's/:.*##/\t/'

setup: .venv/ready  ## the environment, from constraints.txt

.venv/ready: pyproject.toml constraints.txt
	$(PYTHON) -m venv .venv
	$(BIN)/pip install --quiet --disable-pip-version-check -c constraints.txt -e '.[dev]'
	touch $@

demo: setup  ## two plans on embedded digits: one where soft labels pay, one where they do not
	$(BIN)/softwidth plan digits --positive 1,3,5,7,9 --noise 0.6 --student-rows 200 --rounds 2 --out out/pays
	$(BIN)/softwidth plan digits --positive 1,3,5,7,9 --noise 0.4 --regime in-sample --rounds 2 --out out/memorised

test: setup lint  ## lint, types, doctests and tests
	$(BIN)/python -m pytest

lint: setup
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy

bench: setup  ## our bank beside what a user would pick instead; brings torch and JAX
	$(PYTHON) -m venv .venv-bench
	.venv-bench/bin/pip install --quiet --disable-pip-version-check -c constraints.txt -e '.[bench]'
	.venv-bench/bin/python -m benchmarks

audit:  ## known vulnerabilities of the pinned dependencies, from an environment of its own
	$(PYTHON) -m venv .venv-audit
	.venv-audit/bin/pip install --quiet --disable-pip-version-check pip-audit
	.venv-audit/bin/pip-audit --strict --requirement constraints.txt --no-deps --disable-pip

constraints:  ## pin what is installed now
	$(BIN)/pip freeze --exclude-editable --disable-pip-version-check > constraints.txt
