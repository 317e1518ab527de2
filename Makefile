# The two commands are `make demo` and `make test`; both install what they need.
SHELL := /bin/bash
CACHE ?= $(or $(CAUSEWAY_CACHE_DIR),/var/cache/causeway)
VENV := .venv
PY := $(VENV)/bin/python

.PHONY: demo demo-down test setup lint unit integration e2e lock clean

setup: $(VENV)/.ready

$(VENV)/.ready: requirements.lock pyproject.toml
	@tools/setup $(VENV)
	@touch $@

lint: setup
	$(VENV)/bin/ruff check .
	$(VENV)/bin/ruff format --check .
	$(VENV)/bin/lint-imports
	$(VENV)/bin/mypy

unit: setup
	$(PY) -m pytest tests/unit
