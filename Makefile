# The two commands are `make demo` and `make test`; both install what they need and can be repeated.
SHELL := /bin/bash
VENV := .venv
PY := $(VENV)/bin/python
CAUSEWAY := $(VENV)/bin/causeway

# Tests have a lab of their own, beside one in use: other directory, other address ranges.
TEST_ENV := CAUSEWAY_LAB_DIR=/var/lib/causeway/test CAUSEWAY_LAB_NETWORK=10.201.0.0/24 CAUSEWAY_LAB_EXTERNAL=172.24.5.0/24

# Tests start our programs hundreds of times: without it each would be compiled as often.
unexport PYTHONDONTWRITEBYTECODE

.PHONY: help demo demo-down test chaos setup lint unit cloudless beside cloud platforms killing life integration conformance e2e test-lab test-env test-lab-down bench-network bench-scale bench-volumes bench-names bench-router lock dashboard clean

help:
	@echo "make demo       an OpenStack, a platform on it and an application that answers"
	@echo "make demo-down  remove all of it"
	@echo "make test       all tests, in a lab of their own, but for: make life, a second lab beside it"
	@echo "make bench-network   measured beside its peer and the cloud's floor, on a lab that is up (ARGS=--quick)"
	@echo "make chaos      random operations under random faults: SEEDS=20, or SEED=7 to repeat one"
	@echo "make bench-scale     10,000 pods and 1,000 services on a simulated cloud"
	@echo "make bench-volumes    volumes beside the cloud's floor, on a lab that is up"
	@echo "make bench-names      names of thousands of Routes beside raw calls to Designate, on a lab that is up"
	@echo "make bench-router    the router beside regular expressions and reloads, on the same HAProxy"
	@echo "make conformance     Gateway API's own suite; its report is kept in docs/reference"
	@echo "make lint | unit | integration | e2e    one part of the tests"

demo: setup
	@$(PY) -m demo up

demo-down: setup
	@$(PY) -m demo down

setup: $(VENV)/.ready

$(VENV)/.ready: requirements.lock pyproject.toml tools/setup
	@tools/setup $(VENV)
	@touch $@

lint: setup
	$(VENV)/bin/ruff check .
	$(VENV)/bin/ruff format --check .
	$(VENV)/bin/lint-imports --no-cache
	$(VENV)/bin/mypy

unit: setup
	$(PY) -m pytest --durations=5 tests/unit

test-lab: setup
	$(TEST_ENV) $(CAUSEWAY) lab up --with dns,objects,ceph
	$(TEST_ENV) $(CAUSEWAY) lab image

test-lab-down: setup
	$(TEST_ENV) $(CAUSEWAY) lab destroy --yes

test-env:
	@printf 'export %s\n' $(TEST_ENV)

integration: test-lab
	$(TEST_ENV) $(PY) -m pytest --durations=15 tests/contract tests/integration

# It is part of every run of the tests, which print its result; here the report is kept.
conformance: setup
	$(TEST_ENV) CONFORMANCE_REPORT=docs/reference/gateway-api-conformance.yaml \
	  $(PY) -m pytest tests/integration/routes/test_conformance.py

e2e: test-lab
	$(TEST_ENV) $(PY) -m pytest --durations=15 tests/e2e

# Beyond what every run of the tests does: make chaos SEEDS=50, or make chaos SEED=7 to repeat one.
SEEDS := 20
chaos: test-lab
	$(TEST_ENV) $(if $(SEED),CHAOS_SEED=$(SEED),CHAOS_SEEDS=$(SEEDS)) \
	  $(PY) -m pytest tests/integration/faults/test_chaos.py

# Three rows of tests beside each other: what needs no cloud and then some that do, others that do, and a
# platform from end to end, then the life of another. When all have ended, in nobody's way, what kills services
# of the lab. The life of a second lab, which takes as much of the machine as the first, is for itself.
CLOUDLESS := tests/integration/kube tests/integration/routes tests/integration/faults/test_watches.py
BESIDE := $(patsubst %,tests/integration/%,names registry shares volumes)
PLATFORMS := tests/integration/platforms
LIFE := tests/integration/lab/test_life.py
KILLING := $(filter-out $(CLOUDLESS) $(LIFE),$(wildcard tests/integration/faults/test_*.py tests/integration/lab/test_*.py))
FOLDERS := $(filter-out %__pycache__ %/faults %/lab,$(patsubst %/,%,$(wildcard tests/integration/*/)))
REST := $(wildcard tests/integration/test_*.py) $(filter-out $(CLOUDLESS) $(BESIDE) $(PLATFORMS),$(FOLDERS))

cloudless: lint
	nice -n 5 $(PY) -m pytest --durations=5 tests/unit
	$(TEST_ENV) $(PY) -m pytest --durations=10 $(CLOUDLESS)

beside: cloudless test-lab
	$(TEST_ENV) $(PY) -m pytest --durations=10 $(BESIDE)

cloud: test-lab
	$(TEST_ENV) $(PY) -m pytest --durations=15 tests/contract $(REST)

platforms: e2e
	$(TEST_ENV) $(PY) -m pytest --durations=5 $(PLATFORMS)

killing: test-lab
	$(TEST_ENV) $(PY) -m pytest --durations=10 $(KILLING)

life: test-lab
	$(TEST_ENV) $(PY) -m pytest $(LIFE)

# A fresh lab first, whatever an earlier run left; the lab is removed at the end, also after a failure.
ROWS := $(MAKE) --no-print-directory --output-sync=line
test: setup
	$(TEST_ENV) $(CAUSEWAY) lab destroy --yes
	@$(ROWS) --jobs=3 beside cloud platforms && $(ROWS) killing; status=$$?; \
	  $(MAKE) --no-print-directory test-lab-down || status=1; exit $$status

bench-network: setup
	$(PY) -m bench network $(ARGS)

bench-scale: setup
	$(PY) -m bench scale $(ARGS)

bench-volumes: setup
	$(PY) -m bench volumes $(ARGS)

bench-names: setup
	$(PY) -m bench names $(ARGS)

bench-router: setup
	$(PY) -m bench router $(ARGS)

lock: setup
	$(PY) -m pip install -q uv
	$(PY) -m uv pip compile pyproject.toml --group dev --generate-hashes --no-emit-index-url --no-header -q \
	  --python-version 3.11 --upgrade -o requirements.lock

dashboard: setup
	$(PY) tools/dashboard.py

clean:
	rm -rf $(VENV) .mypy_cache .ruff_cache .pytest_cache
