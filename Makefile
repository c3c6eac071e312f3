# Everything a user or a developer does begins here. The recipes name what is run; how is in Python.

SHELL := /bin/sh
export PATH := $(CURDIR)/bin:$(CURDIR)/.venv/bin:$(PATH)

# Set where images are made of Python. Here each of hundreds of processes would compile all that it imports anew.
unexport PYTHONDONTWRITEBYTECODE

# A failure's cause and remedy are to be the last lines on the screen, and make adds one of its own, except in question
# mode when a recipe exits with 1. In that mode only lines marked + are run: all are, and each fails with 1. A dry run
# (make -n) stays one.
ifeq ($(findstring n,$(firstword -$(MAKEFLAGS))),)
MAKEFLAGS += -q
ALWAYS := +
endif
MAKEFLAGS += --no-print-directory
unexport MAKEFLAGS
RUN := $(ALWAYS)@cluster/bootstrap || exit 1;
CLUSTER := python -m cluster
# $(call try,command,remedy)
try = $(1) || { printf '\n✘ %s\n  → %s\n' 'failed: $(strip $(1))' '$(2)' >&2; exit 1; }

CRDS := charts/seatrial/files/crds
LOCK := uv pip compile --quiet --universal --generate-hashes --no-emit-index-url --no-annotate --no-header $(LOCKARGS)

# What mypy has found out about a file is right in every clone that has the same one.
export MYPY_CACHE_DIR ?= $(or $(SEATRIAL_CACHE),$(or $(XDG_CACHE_HOME),$(HOME)/.cache)/seatrial)/mypy

# Workers take a file at a time. ARGS=-n0 runs one test after the other, as a debugger needs it.
SIDE_BY_SIDE := --dist loadfile --no-loadscope-reorder

# Tests of `make test` that wait for the helm of `make cluster-up`.
NEED_HELM := tests/unit/charts tests/services/test_chart.py

IMAGES ?= auto

.DEFAULT_GOAL := help
.PHONY: help demo test e2e soak bench bench-cluster lint format crds lock doctor cluster-up cluster-down install shop shop-local invariants load \
	clean-all

help: ## this list
	$(ALWAYS)@awk -F ':.*## ' '/^[a-z0-9-]+:.*## /{printf "  make %-14s %s\n", $$1, $$2}' $(firstword $(MAKEFILE_LIST))

demo: shop ## from nothing to a good and a bad rollout under load on a real mesh; leaves everything running
	$(RUN) python -m demo $(ARGS) || exit 1

# Workers are more than cores (tests/conftest.py), because tests wait for processes. Those of services last longest.
test: ## unit and service tests; no cluster
	$(RUN) $(call try,pytest $(SIDE_BY_SIDE) -n auto --maxprocesses 6 tests/services tests/unit $(ARGS),the failing test is named above; run it alone: .venv/bin/pytest -k NAME)

doctor: ## what is wrong with this machine, and what to type
	$(RUN) $(CLUSTER) doctor || exit 1

cluster-up: ## a kind cluster with Istio; IMAGES=auto|pull|build
	$(RUN) $(CLUSTER) up --images $(IMAGES) || exit 1

cluster-down: ## remove the cluster, and nothing else
	$(RUN) $(CLUSTER) down || exit 1

install: cluster-up ## build the operator and install it on the cluster
	$(RUN) $(CLUSTER) install || exit 1

shop: install ## build the sample shop and install it on the cluster
	$(RUN) $(CLUSTER) shop || exit 1

shop-local: ## the shop as plain processes on loopback, without a cluster
	$(RUN) python -m chassis.local $(ARGS) || exit 1

invariants: ## what must hold in the shop, and whether it does: money, stock, sagas, events; ARGS='--within 60'
	$(RUN) python -m demo.invariants $(ARGS) || exit 1

load: ## send load to the shop; USERS= or RATE=, DURATION=, ARGS=--headless
	$(RUN) python -m loadtests $(USERS:%=--users %) $(RATE:%=--rate %) $(DURATION:%=--duration %) $(ARGS) || exit 1

# Two workers keep two cores three quarters busy; three would make pods late, and tests with them.
e2e: shop ## tests against the cluster, which it brings up by itself
	$(RUN) $(call try,pytest $(SIDE_BY_SIDE) -n logical --maxprocesses 3 $(NEED_HELM) tests/operator tests/e2e $(ARGS),the failing test is named above; run it alone: .venv/bin/pytest -k NAME)

soak: shop ## the same for hours; cut it with SOAK=
	$(RUN) $(call try,SOAK='$(SOAK)' pytest tests/soak $(ARGS),the failing test is named above with its seed)

bench: shop ## figures of the operator and of the mesh
	$(RUN) $(call try,pytest tests/bench -s $(ARGS),the failing figure is named above)

bench-cluster: ## how long each step from nothing to a running shop takes
	$(RUN) $(CLUSTER) bench --images $(IMAGES) $(ARGS) || exit 1

lint: ## style, types, layers, generated files, charts
	$(RUN) $(call try,ruff check .,make format mends what can be mended)
	$(RUN) $(call try,ruff format --check --quiet .,make format)
	$(RUN) $(call try,mypy,the types are named above)
	$(RUN) $(call try,lint-imports,the broken layer is named above)
	$(RUN) made=$$(mktemp -d); python -m seatrial.api.crd $$made >/dev/null; \
		$(call try,diff -r $$made $(CRDS) >&2,make crds); rm -r $$made
	$(RUN) ! command -v helm >/dev/null || $(call try,helm lint --strict --quiet -n seatrial-system charts/seatrial,see above)
	$(RUN) ! command -v helm >/dev/null || $(call try,helm lint --strict --quiet -n shop charts/shop,see above)

format: ## mend style where a machine can
	$(RUN) ruff check --fix --quiet . ; ruff format --quiet . || exit 1

crds: ## write the CRDs into the chart, from the models
	$(RUN) python -m seatrial.api.crd $(CRDS) || exit 1

lock: ## lock what pyproject.toml asks for; LOCKARGS=--upgrade takes the newest
	$(RUN) $(LOCK) pyproject.toml -o requirements/operator.txt || exit 1
	$(RUN) $(LOCK) --group shop -o requirements/shop.txt || exit 1
	$(RUN) $(LOCK) pyproject.toml --group dev -o requirements/dev.txt || exit 1
	$(RUN) echo hatchling | $(LOCK) - -o requirements/backend.txt || exit 1
	$(RUN) echo uv | $(LOCK) - -o requirements/uv.txt || exit 1

clean-all: ## remove the cluster, the caches, and what was built
	$(RUN) $(CLUSTER) clean || exit 1
