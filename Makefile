# The same commands that CI runs. `make up` and `make test` are all that a newcomer needs.
BASTIDE := .venv/bin/bastide
EXAMPLE ?= examples/shop/bastide.yaml
PY := .venv/bin/python
# Each example is an application of its own, with its own tests and import paths.
EXAMPLES_WITH_TESTS := $(patsubst %/pytest.ini,%,$(wildcard examples/*/pytest.ini examples/*/app/pytest.ini))
# nginx, haproxy and their like are in sbin, which `su` leaves out.
export PATH := $(PATH):/usr/local/sbin:/usr/sbin:/sbin

# Workers of pytest-xdist: a worker has the tests of whole files, so that what they share is made once.
SIDE_BY_SIDE := -n auto --maxprocesses 4 --dist loadfile
# Labs of two folders at a time: they wait most of the time. Empty: one after the other.
SIDE_BY_SIDE_LABS ?= -n 2 --dist loadscope --no-loadscope-reorder

.PHONY: help setup setup-test up down destroy check lint types layers unit lab test golden docs portrait bench clean

help:
	@echo "make up       everything from nothing: the demo shop in a lab on this computer (root)"
	@echo "make destroy  remove it without a trace"
	@echo "make test     everything that CI runs, real labs included (root)"
	@echo "make check    lint, types, layers"
	@echo "make unit     tests without machines"
	@echo "make lab      tests on real machines (root)"
	@echo "make golden   write the golden host trees anew (then read the diff)"
	@echo "make docs     write the generated pages anew"
	@echo "make portrait the README's screenshot of the dashboard anew"
	@echo "make bench    figures, as ratios inside one run (root)"

setup:
	@scripts/setup

setup-test:
	@scripts/setup test

up: setup
	$(BASTIDE) up -f $(EXAMPLE)

down: setup
	$(BASTIDE) down -f $(EXAMPLE)

destroy: setup
	$(BASTIDE) destroy -f $(EXAMPLE) --yes

check: setup-test
	@$(MAKE) --no-print-directory --output-sync=target -j types lint layers

lint:
	.venv/bin/ruff check .
	.venv/bin/ruff format --check .

types:
	.venv/bin/mypy

layers:
	.venv/bin/lint-imports --no-cache

unit: setup-test
	$(PY) -m pytest -q -m "not lab" $(SIDE_BY_SIDE) $(PYTEST_FLAGS)
	@set -e; for folder in $(EXAMPLES_WITH_TESTS); do echo "tests of $$folder"; \
	  (cd $$folder && PYTHONPATH=$(CURDIR) $(CURDIR)/$(PY) -m pytest -q $(PYTEST_FLAGS)); done

# Both halves run whatever the first one found: one run names every failure.
lab: setup-test
	@failed=0; \
	$(PY) -m pytest -q -m "lab and not alone" $(SIDE_BY_SIDE_LABS) --durations=20 $(PYTEST_FLAGS) || failed=1; \
	$(PY) -m pytest -q -m "lab and alone" --durations=20 $(PYTEST_FLAGS) || failed=1; exit $$failed

# Where everything was installed, nothing may be skipped.
test: PYTEST_FLAGS += -p tests.no_skips
test: check unit lab

golden: setup-test
	BASTIDE_WRITE_GOLDEN=1 $(PY) -m pytest -q tests/golden

docs: setup
	$(PY) -m bastide.spec.reference docs
	$(PY) -m bastide.audit.pages docs
	$(PY) scripts/draw-docs docs
	$(PY) -m bench.campaigns page docs/campaign/README.md

portrait: setup-test
	$(PY) -m tests.browser.portrait docs/dashboard.png

bench: setup-test
	$(PY) bench/run.py

clean:
	rm -rf .venv .mypy_cache .ruff_cache .pytest_cache .hypothesis
