# Tunesmith. `make help` lists what there is; everything a target needs is made first.
.DEFAULT_GOAL := help
SHELL := /bin/bash
PYTHON ?= python3.11
BIN := .venv/bin
TYPESCRIPT := gateway/sdk/typescript
PROTOS := $(shell find protos -name '*.proto')
PEERS := $(patsubst bench/peers/requirements-%.txt,.build/peers/%/installed,$(wildcard bench/peers/requirements-*.txt))

.PHONY: help setup protos up demo test test-unit test-integration test-chaos chaos bench peers lint format lock clean

help: ## Show this
	@grep -hE '^[a-z-]+:.*##' $(MAKEFILE_LIST) | awk -F':.*## ' '{printf "  make %-18s %s\n", $$1, $$2}'

setup: .build/setup ## Virtual environment, packages, generated code

protos: .build/protos ## Generate Python and TypeScript from the protos, offline

up: setup ## Run the whole stack in the foreground; Ctrl-C ends it
	$(BIN)/python -m supervisor

demo: setup ## Train a model before your eyes: MODEL=<hub name> DATASET=<file> for your own
	$(BIN)/python -m starter.demo $(if $(MODEL),--model "$(MODEL)") $(if $(DATASET),--dataset "$(DATASET)")

test: setup test-unit test-integration test-chaos ## Every test

test-unit: setup ## The fast ones: units and contracts, in Python and TypeScript
	$(BIN)/pytest tests/unit tests/contract -n 2 --dist loadfile -q
	cd $(TYPESCRIPT) && npm run --silent check && npm run --silent test

test-integration: setup ## Real parts: Envoy, Ray, training
	$(BIN)/pytest tests/integration -q

test-chaos: setup ## Two minutes of kills; CHAOS_SEED repeats a schedule
	$(BIN)/pytest tests/chaos -q -s

chaos: setup ## 100 jobs through ten minutes of kills; the figures go to docs/benchmarks
	CHAOS_RECORD=1 CHAOS_SECONDS=$(or $(CHAOS_SECONDS),600) CHAOS_JOBS=$(or $(CHAOS_JOBS),100) $(BIN)/pytest tests/chaos -q -s

bench: setup ## Measure this machine beside the peers, 20 minutes; BENCH=<name> for one, ROUNDS=<n>
	$(BIN)/python -m bench $(if $(ROUNDS),--rounds $(ROUNDS)) $(BENCH)

peers: $(PEERS) ## Install what `make bench` compares with, each in an environment of its own

lint: setup ## Style, types, protos, imports
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy
	$(BIN)/python protos/check.py
	cd $(TYPESCRIPT) && npm run --silent check

format: setup ## Put the style right
	$(BIN)/ruff check --fix .
	$(BIN)/ruff format .

lock: setup ## Renew requirements.lock from requirements.in
	$(BIN)/pip install --quiet --upgrade --upgrade-strategy eager -r requirements.in
	# A local build of torch is a build of its release: the lock names the release.
	$(BIN)/pip freeze --all --exclude pip --exclude-editable | sed "s/+cpu$$//" | sort -f > requirements.lock

clean: ## Remove what was installed and generated; the home (.tunesmith) stays
	rm -rf .venv .build $(TYPESCRIPT)/node_modules

.build/python: requirements.lock pyproject.toml gateway/sdk/python/pyproject.toml
	@mkdir -p .build
	test -x $(BIN)/python || $(PYTHON) -m venv .venv
	$(BIN)/pip install --quiet --disable-pip-version-check -r requirements.lock
	$(BIN)/pip install --quiet --disable-pip-version-check --no-deps --no-build-isolation -e . -e gateway/sdk/python
	@touch $@

.build/typescript: $(TYPESCRIPT)/package-lock.json
	@mkdir -p .build
	cd $(TYPESCRIPT) && npm ci --no-audit --no-fund --loglevel=error
	@touch $@

.build/protos: .build/python .build/typescript protos/generate.py $(PROTOS)
	$(BIN)/python protos/generate.py
	@touch $@

.build/setup: .build/protos
	@touch $@

.build/peers/%/installed: bench/peers/requirements-%.txt
	test -x $(@D)/bin/python || $(PYTHON) -m venv $(@D)
	$(@D)/bin/pip install --quiet --disable-pip-version-check -r $<
	@touch $@
