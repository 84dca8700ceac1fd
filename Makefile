# Two commands do everything on a fresh machine: `make run` and `make test`.

SHELL := /bin/bash
.SHELLFLAGS := -euo pipefail -c
.DEFAULT_GOAL := help
# What runs at the same time as something else is said where it does.
ifndef BESIDE
.NOTPARALLEL:
endif
.DELETE_ON_ERROR:
# What somebody else's shell says about Python must not reach ours.
unexport PYTHONPATH PYTHONHOME PYTHONSTARTUP PYTHONDONTWRITEBYTECODE VIRTUAL_ENV

PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
MIN := .venv-min
TRIAL := -b -m twisted.trial
# The unit suite's tests need nothing of one another, so each processor runs some.
JOBS := $(shell nproc 2>/dev/null || echo 1)
CONFIG ?=

# What the tests in tests/real need, as commands and as Debian names them.
CLIENTS := dockerd docker skopeo podman buildah containerd ctr docker-registry \
	curl openssl /usr/sbin/slapd ldapadd prometheus promtool goaccess jq \
	/sbin/mkfs.xfs /sbin/mkfs.btrfs
PACKAGES := docker.io skopeo podman buildah containerd docker-registry \
	curl openssl slapd ldap-utils prometheus goaccess jq xfsprogs btrfs-progs

# Compat mode puts the checkout on the path, which is where twistd looks for plugins;
# the default editable mode hides twisted/plugins from it.
INSTALL := -m pip install --quiet --config-settings editable_mode=compat --editable

# Twisted keeps a cache of plugins beside them; it is made by whoever may write there.
CACHE_PLUGINS := -c 'from twisted.plugin import IPlugin, getPlugins; list(getPlugins(IPlugin))'

.PHONY: help
help: ## Say what there is
	@awk -F ':.*## ' '/^[a-z-]+:.*## / {printf "  make %-10s %s\n", $$1, $$2}' \
		$(MAKEFILE_LIST)

.PHONY: run
run: $(VENV)/.installed ## Set up and serve on port 5000 (CONFIG=FILE for your own)
	@exec $(BIN)/txregistry serve $(CONFIG)

.PHONY: test
test: $(VENV)/.dev ## Set up and pass everything
# What sets up the other environment mostly waits for what it loads.
	@$(MAKE) --no-print-directory --jobs=2 --output-sync=target BESIDE=yes \
		$(MIN)/.installed static
	@$(MAKE) --no-print-directory unit mindeps real

.PHONY: static
static: lint types imports

.PHONY: test-fast
test-fast: $(VENV)/.dev ## The unit suite alone: no clients, no ports, under a minute
	$(BIN)/python $(TRIAL) --jobs=$(JOBS) --reporter=text tests.unit

.PHONY: lint
lint: $(VENV)/.dev ## Style and format, by ruff
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .

.PHONY: types
types: $(VENV)/.dev ## Types, by mypy
	$(BIN)/mypy txregistry twisted/plugins tests $(if $(wildcard bench/*.py),bench)

.PHONY: imports
imports: $(VENV)/.dev ## The layers, by import-linter
	$(BIN)/lint-imports --no-cache

.PHONY: unit
unit: $(VENV)/.dev ## The unit suite under coverage
	$(BIN)/python -m coverage erase
	$(BIN)/python -b -m coverage run -m twisted.trial --jobs=$(JOBS) tests.unit
	$(BIN)/python -m coverage combine --quiet
	$(BIN)/python -m coverage report

.PHONY: real
real: $(VENV)/.dev clients ## The tests with real clients, some side by side
	$(BIN)/python -m tests.real.lanes $(JOBS)

.PHONY: mindeps
mindeps: $(MIN)/.installed ## The unit suite on the lowest versions that setup.py names
	cd / && "$(CURDIR)/$(MIN)/bin/twistd" --help | grep -w txregistry
	$(MIN)/bin/python $(TRIAL) --jobs=$(JOBS) tests.unit

.PHONY: clients
clients: ## Install the clients that tests/real needs (root on Debian)
	@missing=; for name in $(CLIENTS); do \
		command -v $$name >/dev/null || missing+=" $$name"; done; \
	[ -n "$$missing" ] || exit 0; \
	if [ "$$(id -u)" = 0 ] && command -v apt-get >/dev/null; then \
		$(call apt,$(PACKAGES)); \
		systemctl disable docker-registry 2>/dev/null || true; \
	elif [ "$${CI:-}" = true ]; then \
		echo "missing:$$missing" >&2; exit 1; \
	else \
		echo "missing, so their tests are skipped:$$missing"; \
	fi

# What the measurements need beside the clients, as commands and as Debian names them.
BENCH := gcc docker-registry skopeo dockerd docker
BENCH_PACKAGES := gcc libc6-dev libssl-dev docker-registry skopeo docker.io
W ?=
PEER ?=
ARGS ?=

.PHONY: bench
bench: $(VENV)/.dev ## Measure beside the Go registry (W="manifests pull", PEER="name=command")
	@missing=; for name in $(BENCH); do \
		command -v $$name >/dev/null || missing+=" $$name"; done; \
	[ -e /usr/include/openssl/ssl.h ] || missing+=" libssl-dev"; \
	[ -z "$$missing" ] || { $(call apt,$(BENCH_PACKAGES)); }
	$(BIN)/python -m bench run $(W) $(if $(PEER),--peer '$(PEER)') \
		$(if $(W),,--docs docs/performance.md) --json .bench/results.json $(ARGS)

.PHONY: clean
clean: ## Remove what the other targets made here, but for registry-data
	rm -rf $(VENV) $(MIN) .bench build dist *.egg-info .coverage* htmlcov .hypothesis \
		.mypy_cache .ruff_cache .import_linter_cache _trial_temp* \
		twisted/plugins/dropin.cache
	find . -name __pycache__ -not -path './.git/*' -prune -exec rm -rf {} +

# ------------------------------------------------------------------ set-up, stamped

# $(call apt,PACKAGES): install without starting the services among them.
apt = policy=/usr/sbin/policy-rc.d; \
	if [ ! -e $$policy ]; then \
		printf '\#!/bin/sh\nexit 101\n' >$$policy; chmod +x $$policy; \
		trap "rm -f $$policy" EXIT; \
	fi; \
	apt-get update -qq; \
	DEBIAN_FRONTEND=noninteractive apt-get install -qq -y --no-install-recommends $(1)

# $(call venv,FOLDER): a virtual environment that git does not see.
venv = $(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11) \
		and "txregistry needs Python 3.11 or later")'; \
	if ! $(PYTHON) -m venv $(1) >/dev/null; then \
		[ "$$(id -u)" = 0 ] && command -v apt-get >/dev/null || { \
			echo "please install what '$(PYTHON) -m venv' needs" >&2; exit 1; }; \
		$(call apt,python3-venv); \
		$(PYTHON) -m venv --clear $(1); \
	fi; \
	echo '*' >$(1)/.gitignore

$(BIN)/python:
	@$(call venv,$(VENV))

$(VENV)/.installed: setup.py pyproject.toml | $(BIN)/python
	$(BIN)/python $(INSTALL) .
	$(BIN)/python $(CACHE_PLUGINS)
	@touch $@

$(VENV)/.dev: setup.py pyproject.toml | $(BIN)/python
	$(BIN)/python $(INSTALL) '.[dev]'
	$(BIN)/python $(CACHE_PLUGINS)
	@touch $@ $(VENV)/.installed

# The lowest versions are setup.py's own bounds, with == for >=.
$(MIN)/.installed: setup.py $(VENV)/.dev
	@rm -rf $(MIN); $(call venv,$(MIN))
	$(BIN)/python -c 'from importlib.metadata import requires; print( \
		*(line.split(";")[0].replace(">=", "==") for line in requires("txregistry")), \
		sep="\n")' | sed 's/\[[^]]*\]//' >$(MIN)/lowest.txt
	$(MIN)/bin/python -m pip install --quiet --constraint $(MIN)/lowest.txt '.[test]'
	$(MIN)/bin/python $(CACHE_PLUGINS)
	@touch $@
