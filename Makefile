# The verbs of this project. A fresh machine needs Python 3.11 or newer, git and make; uv is used where
# it is installed and brought into .venv where it is not. Override with e.g. `make test PYTHON=python3.12`.

PYTHON ?= python3
PYTEST_WORKERS ?= 2

VENV := .venv
BIN := $(VENV)/bin
INSTALLED := $(VENV)/installed
EXAMPLES := $(patsubst %/mlops.yaml,%,$(wildcard examples/*/mlops.yaml))

.PHONY: help install flights tools demo test mutations check golden schema bench thousand clean

help: ## What can be made
	@sed -n 's/^\([a-z]*\):.*## /\1\t/p' $(MAKEFILE_LIST) | expand -t 10

install: $(INSTALLED) ## mlopsc and what its development needs, in .venv

$(INSTALLED): pyproject.toml
	test -x $(BIN)/python || $(PYTHON) -m venv $(VENV)
	command -v uv >/dev/null || test -x $(BIN)/uv || $(BIN)/python -m pip install --quiet uv
	uv=$$(command -v uv || echo $(BIN)/uv) && \
	  $$uv pip install --quiet --python $(BIN)/python --editable . --group dev
	touch $@

flights: install ## Compiles the example of the New York flights
	$(BIN)/mlopsc compile examples/flights

tools: install ## The real tools that read what mlopsc writes, in .tools
	PYTHON=$(PYTHON) tests/tools/install.sh

demo: install tools ## The example lives: trains, serves, drifts, alerts, retrains, in the real tools
	PYTHONPATH=tests $(BIN)/python -m loop $(DEMO_OPTIONS)

# The loop keeps two cores busy by itself, and its servers answer late when others do too.
LOOP := tests/test_loop.py tests/test_loop_cuts.py

test: install tools ## Every test; two processes, then the loop
	$(BIN)/python -m pytest --numprocesses=$(PYTEST_WORKERS) $(addprefix --ignore=,$(LOOP)) $(PYTEST_OPTIONS)
	$(BIN)/python -m pytest $(LOOP) $(PYTEST_OPTIONS)

mutations: install tools ## Every change of every alert rule of two projects, and the share their promtool tests catch
	MLOPSC_MUTANTS=all $(BIN)/python -m pytest tests/targets/test_alert_mutations.py

check: install ## Format, lint, types
	$(BIN)/ruff format --check .
	$(BIN)/ruff check .
	$(BIN)/mypy

golden: install ## Compiles every example again, after a change that is meant to change outputs
	set -e; for example in $(EXAMPLES); do $(BIN)/mlopsc compile $$example; done

schema: install ## Writes anew what follows from the models of the language: schema, parser's table, pages
	$(BIN)/python -m mlopsc.spec.schema
	$(BIN)/python -m mlopsc.spec.ahead
	$(BIN)/python -m mlopsc.spec.pages

bench: install ## Time and memory of compile beside kubectl kustomize; see benchmarks/README.md
	$(BIN)/python benchmarks/compile.py $(BENCH_OPTIONS)

thousand: install ## A thousand models beside other programs, and beside the least that could be done
	PATH="$(CURDIR)/.tools/bin:$$PATH" $(BIN)/python benchmarks/thousand.py $(BENCH_OPTIONS)

clean: ## Removes what was installed and cached here
	rm -rf $(VENV) .tools .pytest_cache .mypy_cache .ruff_cache
