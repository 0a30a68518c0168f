# Two commands on a fresh machine: `make demo` and `make test`. Everything lies in .venv.

PYTHON ?= python3
WORKERS ?= 2
VENV := .venv
BIN := $(VENV)/bin
# Which setup.cfg and constraints.txt the environment was made from.
STAMP := $(VENV)/.installed
PYTEST := $(BIN)/pytest -n $(WORKERS) --dist worksteal

.DEFAULT_GOAL := help
.DELETE_ON_ERROR:
.PHONY: help install demo demo-ui test test-all torture planted format lint types layers bench constraints capabilities clean

help: ## Show this list
	@awk -F ':.*## ' '/^[a-z-]+:.*## / { printf "  make %-12s %s\n", $$1, $$2 }' $(MAKEFILE_LIST)

demo: $(STAMP) ## Sync a demo shop to a local Iterable, three days, in real Airflow
	$(BIN)/python demo/run.py

demo-ui: $(STAMP) ## The same in a standalone Airflow that you can click through
	$(BIN)/python demo/ui.py

test: $(STAMP) ## Run the tests (DuckDB, PostgreSQL, dag.test())
	$(PYTEST) -m "not all"

test-all: $(STAMP) ## Also install modes, other versions, a standalone Airflow; a skip is a failure
	PYTHONPATH=tests $(PYTEST) -p no_skips

SEED ?= 0
ROUNDS ?= 10000
KILLS ?= 100
FAULTS ?= 1000
ZOMBIES ?= 10
# Of a part, at once: most of the time of real processes is waiting.
PIECES ?= 4

torture: $(STAMP) ## Simulate ROUNDS worlds from SEED on; then KILLS, FAULTS, ZOMBIES on each engine
	@PYTHONPATH=tests $(BIN)/python -m torture.command --seed $(SEED) --rounds $(ROUNDS)
	@for engine in postgres duckdb; do \
		$(BIN)/python tests/torture/run.py --engine $$engine --seed $(SEED) \
			--pieces $(PIECES) --kills $(KILLS) --faults $(FAULTS) --zombies $(ZOMBIES) \
			|| exit 1; done

planted: $(STAMP) ## Plant known bugs into the product; each has to be caught
	@PYTHONPATH=tests $(BIN)/python -m torture.planted $(SEED)

format: $(STAMP) ## Format the code and mend what ruff can mend
	$(BIN)/ruff format
	$(BIN)/ruff check --fix

lint: $(STAMP) ## Check format and lint
	$(BIN)/ruff format --check
	$(BIN)/ruff check

types: $(STAMP) ## Check types (mypy strict)
	$(BIN)/mypy

layers: $(STAMP) ## Check that a file imports only from lower layers
	$(BIN)/lint-imports

bench: $(STAMP) ## Run the benchmarks, a JSON line each
	@for name in transform deliver first_sync second_sync orders reconcile diff sandbox; do \
		$(BIN)/python bench/$$name.py || exit 1; done
	@$(BIN)/python bench/diff.py --engine postgres
	@for engine in duckdb postgres; do $(BIN)/python bench/recording.py --engine $$engine || exit 1; done
	@$(BIN)/python bench/pacing.py --seconds 30

constraints: $(STAMP) ## Resolve constraints.txt anew, for every Python from 3.11 on
	@$(BIN)/python -m uv pip compile setup.cfg constraints.in --extra dev --upgrade --quiet \
		--universal --python-version 3.11 --no-header --no-annotate \
		--no-emit-index-url --no-emit-find-links --output-file build/constraints.txt
	@{ echo '# The versions that the tests run with. Made by: make constraints'; \
		grep -v '^#' build/constraints.txt; } > constraints.txt
	@echo "constraints.txt: $$(grep -c == constraints.txt) packages"

capabilities: $(STAMP) ## Write docs/capabilities.md and failures.md from the markers of the tests
	@$(BIN)/python tests/capabilities.py

clean: ## Remove what the targets made, but for .venv
	rm -rf build dist .demo .pytest_cache .ruff_cache .mypy_cache .import_linter_cache .hypothesis
	find . -path ./$(VENV) -prune -o -name __pycache__ -type d -exec rm -rf {} +

install: $(STAMP) ## Make .venv, or bring it up to date

$(BIN)/python:
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' || { \
		echo "$(PYTHON) is $$($(PYTHON) -V 2>&1 || echo missing), but 3.11 or newer is needed;" \
			"name one: make PYTHON=python3.12 ..." >&2; exit 1; }
	$(PYTHON) -m venv $(VENV)

# uv installs in seconds. It does not write .pyc by itself, and without them every process starts
# 4 s slower. Where uv cannot be had, or does not reach the index that pip is set up for: pip.
$(STAMP): setup.cfg setup.py pyproject.toml constraints.txt | $(BIN)/python
	@if $(BIN)/python -m pip install --quiet --disable-pip-version-check uv \
		&& $(BIN)/python -m uv pip install --quiet --python $(BIN)/python --compile-bytecode \
			-c constraints.txt -e '.[dev]'; \
	then :; else \
		echo "uv could not install; trying pip" >&2; \
		$(BIN)/python -m pip install --quiet --disable-pip-version-check \
			-c constraints.txt -e '.[dev]'; \
	fi
	@touch $@
