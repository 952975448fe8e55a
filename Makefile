# Everything is set up as it is needed: `make demo` and `make test` work in a fresh clone.
.DEFAULT_GOAL := help
SHELL := bash
.SHELLFLAGS := -euo pipefail -c
.NOTPARALLEL:
.PHONY: help docs demo test test-unit test-policies test-platform soak bench setup setup-dev tools lint format types check lock

# The Python that makes .venv: the first that is new enough and can make environments. `make PYTHON=… demo` chooses one.
PYTHON ?= $(shell for p in python3.11 python3.12 python3.13 python3; do \
	$$p -c 'import ensurepip, sys; sys.exit(sys.version_info < (3, 11))' 2>/dev/null && { echo $$p; break; }; done)
BIN := .venv/bin

help: ## This list
	@sed -n 's/^\([a-z-]*\):.*## /\1\t/p' $(MAKEFILE_LIST) | while IFS=$$'\t' read -r name text; do printf '  make %-10s %s\n' "$$name" "$$text"; done

demo: setup ## From a registered model to a service that answers, on a real Kubernetes API
	@$(BIN)/slipway demo

test: setup-dev lint types tools ## Every check and every test
	@echo "== pytest"
	@$(BIN)/python -m pytest -v -n 2 --dist loadfile --no-loadscope-reorder

test-unit: setup-dev ## The tests that need neither network nor binaries, in seconds
	@$(BIN)/python -m pytest -q -n 2 --dist loadfile tests/unit tests/program

test-policies: setup-dev tools ## The policies, in Kyverno's own binaries
	@$(BIN)/python -c 'from slipway.tools import toolchain; toolchain.ensure("kyverno")'
	@$(BIN)/python -m pytest -v -m policies tests/policies tests/lab/test_policies_lab.py tests/lab/test_aws_pack.py

test-platform: setup-dev tools ## The platform's parts in the lab: Kyverno, Argo CD, Prometheus, MLflow, Feast
	@$(BIN)/python -c 'from slipway.tools import toolchain; from slipway.lab.platform import PARTS; toolchain.ensure(*{tool for part in PARTS.values() for tool in part.tools})'
	@$(BIN)/python -m pytest -v -m platform tests/lab

soak: setup-dev tools ## Ten promotions, ten rollbacks, under load; a quarter of an hour
	@$(BIN)/python -m pytest -v -s -m soak tests/lab/test_soak.py

bench: setup-dev tools ## The table of docs/performance.md
	@$(BIN)/python -m tests.bench
	@$(BIN)/python -m tests.bench.rollouts

docs: setup ## What is written from the settings: pages, policies
	@$(BIN)/slipway config compare --markdown > docs/environments.md
	@$(BIN)/python -m slipway.policy

setup: ## The Python environment .venv
	@$(call need_python) && $(PYTHON) -m slipway.bootstrap

setup-dev: ## The same, with what the tests need
	@$(call need_python) && $(PYTHON) -m slipway.bootstrap --dev

tools: setup ## The lab's binaries, built once into a cache outside the checkout
	@$(BIN)/python -c 'from slipway.tools import toolchain; toolchain.ensure()'

check: lint types ## Style and types

lint: setup-dev ## Style
	@echo "== ruff"
	@$(BIN)/ruff check .
	@$(BIN)/ruff format --check .

format: setup-dev ## Put every file into the one format
	@$(BIN)/ruff check --fix --quiet . ; $(BIN)/ruff format .

types: setup-dev ## Types
	@echo "== mypy (a minute without its cache)"
	@$(BIN)/mypy

lock: setup-dev ## Write what is installed into constraints.txt
	@{ echo "# Everything that requirements-dev.txt brings, as it was tested; written by \`make lock\`."; \
	   $(BIN)/python -m pip freeze --exclude-editable; } > constraints.txt

need_python = { [ -n "$(PYTHON)" ] || { echo "slipway: no Python 3.11 or newer with its venv module on PATH: install it (Debian: apt install python3 python3-venv), or name one: make PYTHON=/path/to/python3.11" >&2; exit 5; }; }
