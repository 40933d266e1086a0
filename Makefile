# make run      everything on one port, with demo people; needs Python 3.11+ only
# make test     the suite, on services of its own              ARGS="-k typing" picks tests, PROCESSES=0 runs in one process
# make test-long   the stories that take long, before a release
# make machine  500 random stories against a plain model        STORIES=50 tells fewer
# make coverage the suite with its lines and branches measured, and the bar for the core
# make mutation small mistakes in the core, to see whether tests notice   ARGS="--every 10" takes a sample
# make lint     format, lint, types, import contracts
# make bench    the workloads, on services of its own          ARGS="w1 w2" goes to benchmarks
# make bench-plots   messages/s and p99 as connections, members, processes, conversations grow (15 minutes)
# make soak     5,000 connections for ten minutes, then beside hostile ones     ARGS="--seconds 60"
# make bench-peers   the same beside ejabberd, prosody, Synapse and the Channels tutorial (20 minutes)
# make campaign load and faults for an hour, and a report      SEED=7 MINUTES=10 MESSAGES=100000 FAULTS=300
# make outage   a push provider is dead for five minutes while people write      MINUTES=1
#
# Settings come from the environment, the command line (`make run PORT=9000`) or `.env`.

SHELL := /bin/sh
VENV := .venv
PY := $(VENV)/bin/python
# The first interpreter that is new enough; `make PYTHON=/path/to/python3` overrides.
PYTHON ?= $(shell for name in python3 python3.14 python3.13 python3.12 python3.11; do \
	command -v $$name >/dev/null 2>&1 && \
	$$name -c 'import sys; sys.exit(sys.version_info < (3, 11))' >/dev/null 2>&1 && \
	{ echo $$name; break; }; done)

# A stamp carries the checksum of what it stands for: changed requirements mean a new name.
RUN_STAMP := $(VENV)/stamp-run-$(shell cksum < requirements.txt | cut -d' ' -f1)
DEV_STAMP := $(VENV)/stamp-dev-$(shell cat requirements.txt requirements-dev.txt | cksum | cut -d' ' -f1)
# Compiled tests are kept: compiling them takes half of the time in which they are collected.
PYTEST := env -u PYTHONDONTWRITEBYTECODE $(PY) -m pytest
PIP_INSTALL := $(PY) -m pip install -qq --disable-pip-version-check
# An environment left half made, or whose interpreter is gone, is made anew.
_ := $(shell $(PY) -c 'import pip' >/dev/null 2>&1 || rm -f $(VENV)/stamp-*)

.DEFAULT_GOAL := help
.PHONY: help run test test-long machine coverage mutation lint format bench bench-plots soak bench-peers clean venv campaign outage

help:
	@sed -n '1,/^$$/s/^# \{0,1\}//p' Makefile

run: $(RUN_STAMP)
	@$(PY) manage.py migrate --verbosity 0
	@$(PY) manage.py seed_demo
	@exec $(PY) manage.py serve

test: $(DEV_STAMP)
	@$(PY) -m tests.harness prepare
	@$(PYTEST) -n $(or $(PROCESSES),3) --no-loadscope-reorder -m "not long" $(ARGS)

test-long: $(DEV_STAMP)
	@$(PY) -m tests.harness prepare
	@$(PYTEST) -n $(or $(PROCESSES),2) -m long $(ARGS)

machine: $(DEV_STAMP)
	@$(PY) -m tests.harness prepare postgresql redis
	@MACHINE_STORIES=$(or $(STORIES),500) $(PYTEST) tests/machine $(ARGS)

coverage: $(DEV_STAMP)
	@$(PY) -m tests.harness prepare
	@$(PY) -m tests.coverage $(ARGS)

mutation: $(DEV_STAMP)
	@$(PY) -m tests.harness prepare postgresql redis
	@$(PY) -m tests.mutation $(ARGS)

lint: $(DEV_STAMP)
	$(PY) -m ruff check .
	$(PY) -m ruff format --check .
	$(PY) -m mypy
	$(VENV)/bin/lint-imports

format: $(DEV_STAMP)
	$(PY) -m ruff check --fix .
	$(PY) -m ruff format .

bench: $(DEV_STAMP)
	@$(PY) -m tests.harness prepare postgresql redis
	@$(PY) -m benchmarks $(ARGS)

bench-plots: $(DEV_STAMP)
	@$(PY) -m tests.harness prepare postgresql redis
	@$(PY) -m benchmarks.curves measure $(ARGS)
	@$(PY) -m benchmarks.curves draw

soak: $(DEV_STAMP)
	@$(PY) -m tests.harness prepare postgresql redis
	@$(PY) -m benchmarks.soak $(ARGS)

bench-peers: $(DEV_STAMP)
	@$(PY) -m tests.harness prepare postgresql redis
	@$(PY) -m benchmarks.peers $(ARGS)

campaign: $(DEV_STAMP)
	@$(PY) -m tests.harness prepare postgresql redis libfaketime
	@$(PY) -m tests.campaign $(if $(SEED),--seed $(SEED)) $(if $(MINUTES),--minutes $(MINUTES)) \
		$(if $(MESSAGES),--messages $(MESSAGES)) $(if $(FAULTS),--faults $(FAULTS)) \
		$(if $(REPORT),--report $(REPORT))

outage: $(DEV_STAMP)
	@$(PY) -m tests.harness prepare postgresql redis rabbitmq
	@$(PY) -m tests.pushing.outage $(if $(MINUTES),--minutes $(MINUTES))

clean:
	rm -rf $(VENV) .coverage* .pytest_cache .mypy_cache .ruff_cache .hypothesis .import_linter_cache \
		benchmarks/peers/.cache

$(RUN_STAMP):
	@$(MAKE) --no-print-directory venv
	@echo "Installing what Chatsite needs into $(VENV) (only when requirements change) ..."
	@$(PIP_INSTALL) -r requirements.txt
	@rm -f $(VENV)/stamp-run-* && touch $@

$(DEV_STAMP):
	@$(MAKE) --no-print-directory venv
	@echo "Installing what the tests need into $(VENV) (only when requirements change) ..."
	@$(PIP_INSTALL) -r requirements.txt -r requirements-dev.txt
	@rm -f $(VENV)/stamp-dev-* && touch $@

venv:
	@$(PY) -c 'import pip' >/dev/null 2>&1 || { \
		test -n "$(PYTHON)" || { echo "Chatsite needs Python 3.11 or newer: install it, or name it with PYTHON=/path/to/python3"; exit 1; }; \
		$(PYTHON) -c 'import ensurepip, venv' 2>/dev/null || { \
			if [ "$$(id -u)" = 0 ] && command -v apt-get >/dev/null; then \
				echo "Installing python3-venv ..."; \
				{ apt-get update -qq && apt-get install -y -qq python3-venv; } >/dev/null; \
			else \
				echo "This Python lacks venv: install the package python3-venv and try again"; exit 1; \
			fi; }; \
		$(PYTHON) -m venv --clear $(VENV); }
