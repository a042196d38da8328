# Two commands matter: `make demo` and `make test`. Both start from nothing but Python 3.11+, make and git.

PYTHON ?= python3
SCENARIO ?= chat
SOAK ?= 60m
STREAMS ?= 1000
SEEDS ?= 1000
VENV := .venv
STAMP := $(VENV)/.installed

.DEFAULT_GOAL := help
.PHONY: help env demo test lint simulate serve load bench bench-quick figures soak chaos lock clean

help: ## list these targets
	@awk -F ':.*## ' '/^[a-z-]+:.*## / { printf "  make %-11s %s\n", $$1, $$2 }' $(MAKEFILE_LIST)

env: $(STAMP) ## make the environment in .venv, from the locked requirements

demo: env ## show three rollouts, two of them rolled back, on simulated providers and real SDKs
	@$(VENV)/bin/pinion demo

test: env ## lints, types, import contracts, then every test with the coverage gate
	@scripts/check

lint: env ## the lints, types and import contracts alone
	@scripts/lint

simulate: env ## run a fleet under drawn failures, SEEDS times in made-up time, and check what must hold; a second each
	@$(VENV)/bin/python -m tests.simulation --seeds $(SEEDS)

serve: env ## serve the sample policies against the simulator, until interrupted
	@scripts/serve

load: env ## load what `make serve` started; SCENARIO names a file in loadtests/
	@SCENARIO=$(SCENARIO) scripts/load

bench: env ## measure Pinion beside its peers and publish docs/benchmarks.md; takes a quarter of an hour
	@$(VENV)/bin/python loadtests/throughput.py --publish

bench-quick: env ## measure Pinion beside nginx and Envoy; fails on a regression of the ratios
	@$(VENV)/bin/python loadtests/throughput.py --quick

figures: env ## measure how soon a bad candidate is out, how seldom a good one, and what judging costs; six minutes
	@$(VENV)/bin/python loadtests/rollout_figures.py

soak: env ## load two workers with faults for SOAK (60m), STREAMS (1000) each; fails when anything grows or gets lost
	@$(VENV)/bin/python -m loadtests.soak --for $(SOAK) --streams $(STREAMS)

chaos: env ## break Redis, PostgreSQL, networks, clocks, disks and gateways; some twenty minutes; ONLY names one fault
	@$(VENV)/bin/python -m tests.chaos $(if $(ONLY),--only $(ONLY))

lock: ## write requirements/*.txt anew (needs uv)
	@scripts/lock

clean: ## remove the environment, caches and builds
	rm -rf $(VENV) .bench .mypy_cache .ruff_cache .pytest_cache .import_linter_cache .hypothesis .coverage .coverage.* build dist

$(STAMP): requirements/dev.txt requirements/previous-sdks.txt pyproject.toml
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' || { \
		echo "make: '$(PYTHON)' is not Python 3.11 or newer; name one that is: make PYTHON=/path/to/python3 $(MAKECMDGOALS)" >&2; \
		exit 1; }
	@echo "Making the environment in $(VENV); this takes a minute, once."
	@$(PYTHON) -m venv $(VENV)
	@$(VENV)/bin/python -m pip install --quiet --quiet --disable-pip-version-check --require-hashes --requirement requirements/dev.txt
	@$(VENV)/bin/python -m pip install --quiet --quiet --disable-pip-version-check --no-deps --no-build-isolation --editable .
	@rm -rf $(VENV)/previous-sdks
	@$(VENV)/bin/python -m pip install --quiet --quiet --disable-pip-version-check --require-hashes --no-deps --target $(VENV)/previous-sdks --requirement requirements/previous-sdks.txt
	@touch $@
