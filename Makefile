# portchurn: every task of a developer or a newcomer, each doing its own set-up.
#
#   make run      set up if needed, then run the first scenario to its verdict
#   make test     set up if needed, then everything CI checks
#   make help     the rest
#
# Needs Python 3.11 or newer with pip, and make. Everything is installed into .venv, from
# requirements files whose every line is pinned and hashed; nothing on the machine is changed.

VENV := .venv
BIN := $(VENV)/bin
SCENARIO ?= scenarios/port-wall.yaml
ARGS ?=
# The first of these that is new enough is used; `make PYTHON=/path/to/python3.13 ...` overrides.
PYTHON ?=
CANDIDATES := $(if $(PYTHON),$(PYTHON),python3 python3.13 python3.12 python3.11 python)
# Pins come from the ordinary index, whatever this machine's pip is configured to use, so that
# the hashes are the ones that everybody else gets.
PLAIN_PIP := env -u PIP_FIND_LINKS -u PIP_EXTRA_INDEX_URL -u PIP_INDEX_URL PIP_CONFIG_FILE=/dev/null
COMPILE := $(PLAIN_PIP) $(BIN)/pip-compile --quiet --generate-hashes --strip-extras \
	--build-deps-for editable --allow-unsafe --no-header --no-emit-index-url \
	--no-emit-find-links --no-emit-trusted-host --no-emit-options

.DEFAULT_GOAL := help
.PHONY: help setup setup-dev run test check collected format axe pins bench policies pictures docs clean

help: ## show this list
	@grep -hE '^[a-z-]+:.*## ' $(MAKEFILE_LIST) | sed -E 's/:.*## /\t/' | expand -t 12

setup: $(VENV)/.ready ## install portchurn into .venv (skipped when up to date)

setup-dev: $(VENV)/.ready-dev ## the same with what the tests need

run: setup ## run SCENARIO (default scenarios/port-wall.yaml); more flags in ARGS
	@$(BIN)/portchurn run $(SCENARIO) $(ARGS)

# Every test process starts from compiled files, also where the machine asks Python to keep none:
# there are hundreds of processes, and pytest alone compiles for 9 s before its first test.
unexport PYTHONDONTWRITEBYTECODE

# Tests that measure time have the machine to themselves; the others, which mostly wait, share it.
# What fails while it is shared, or while the machine was busy with something else, is asked once
# more and alone: a test that needed a quiet moment passes then, and what is broken fails twice.
AGAIN := --last-failed --last-failed-no-failures none

test: setup-dev ## format, lint, types, import floors and all tests
	@$(MAKE) --no-print-directory -j2 check collected
ifeq ($(strip $(ARGS)),)
	$(BIN)/pytest -q -n 5 --dist worksteal -m "not alone" || $(BIN)/pytest $(AGAIN) -m "not alone"
	$(BIN)/pytest -m alone || $(BIN)/pytest $(AGAIN) -m alone
else
	$(BIN)/pytest $(ARGS)
endif

check: setup-dev ## the checks without the tests
	$(BIN)/ruff format --check .
	$(BIN)/ruff check .
	$(BIN)/mypy
	$(BIN)/lint-imports

# The checks need one processor. Meanwhile the other compiles the tests, once for all who run them.
collected: setup-dev
	@$(BIN)/pytest -qq --collect-only >/dev/null || true # what is wrong is told where it is run

format: setup-dev ## rewrite the sources in the house format
	$(BIN)/ruff format .
	$(BIN)/ruff check --fix .

axe: setup-dev ## fetch axe-core by npm, for the tests of pages (one version, its hash checked)
	@$(BIN)/python tests/support/axe.py

pins: setup-dev ## compile requirements.txt and requirements-dev.txt again (UPGRADE=1 for newest)
	sed -i '/^# Compiled by/d' requirements.txt requirements-dev.txt
	$(COMPILE) $(if $(UPGRADE),--upgrade) -o requirements.txt pyproject.toml
	$(COMPILE) $(if $(UPGRADE),--upgrade) --extra dev -c requirements.txt \
		-o requirements-dev.txt pyproject.toml
	sed -i '1i # Compiled by `make pins` from pyproject.toml: every package pinned, every file of it hashed.' \
		requirements.txt requirements-dev.txt
	@! grep -nE '://|^ *--(index-url|extra-index-url|find-links|trusted-host)' requirements*.txt \
		|| { echo 'make pins: a host name or an index line got into the pins (above)' >&2; exit 1; }

bench: setup ## what relaying costs, beside HAProxy and nginx where they are installed
	$(BIN)/portchurn bench relay $(ARGS)

# A variant for each policy, long enough for a p99 and with the limits of the short form left out.
POLICIES := round-robin random least-connections two-choices weighted-round-robin \
	weighted-least-connections peak-ewma source-hash ring-hash bounded-hash maglev most-budget
LENGTH ?= 10s

policies: setup ## the table of docs/policies-under-churn.md: all policies under the same crashes
	@$(BIN)/portchurn run scenarios/policies-under-churn.yaml --output markdown \
		--set traffic.0.for=$(LENGTH) --set 'thresholds=[]' \
		$(foreach name,$(POLICIES),--set 'variants.$(name)={balancer.policy.name: $(name)}') \
		--set 'variants.choices-3={balancer.policy: {choices: 3}}' $(ARGS)

# Drawings are the project's own; the screenshot needs a browser and is left as it is without one.
PICTURES := results/pictures
CHROMIUM := $(shell command -v chromium 2>/dev/null)

pictures: setup ## draw the pictures of the README again, from runs of their own
	$(BIN)/portchurn run scenarios/port-wall.yaml --results $(PICTURES) --quiet
	$(BIN)/portchurn report port-wall --results $(PICTURES) --svg ports-balancer-backend \
		> docs/port-wall.svg.new
	mv docs/port-wall.svg.new docs/port-wall.svg
ifneq ($(CHROMIUM),)
	$(CHROMIUM) --headless --no-sandbox --hide-scrollbars --window-size=980,940 \
		--screenshot=docs/report.png "file://$(CURDIR)/$(PICTURES)/latest/report.html"
endif
	$(BIN)/portchurn run scenarios/half-full-cliff.yaml --variant kernel --results $(PICTURES) --quiet
	$(BIN)/portchurn report half-full-cliff --results $(PICTURES) \
		--svg connect-cost-client-backend > docs/half-full-cliff.svg.new
	mv docs/half-full-cliff.svg.new docs/half-full-cliff.svg

docs: setup-dev ## write the generated pages again
	$(BIN)/python -m simulator.scenario.reference > docs/scenario.md.new
	mv docs/scenario.md.new docs/scenario.md
	$(BIN)/python -m simulator.measure.summary_schema > docs/summary.schema.json.new
	mv docs/summary.schema.json.new docs/summary.schema.json

clean: ## remove .venv and caches; results stay
	rm -rf $(VENV) .mypy_cache .ruff_cache .pytest_cache .hypothesis .import_linter_cache

# --- what the targets above stand on -------------------------------------------------------------

$(VENV)/bin/python:
	@set -e; \
	for candidate in $(CANDIDATES); do \
		if "$$candidate" -c 'import sys; sys.exit(sys.version_info < (3, 11))' 2>/dev/null; then \
			python="$$candidate"; break; \
		fi; \
	done; \
	if [ -z "$${python:-}" ]; then \
		echo 'portchurn needs Python 3.11 or newer; tried: $(CANDIDATES).' >&2; \
		echo 'Install one, or name it: make PYTHON=/path/to/python3.12 $(MAKECMDGOALS)' >&2; exit 1; \
	fi; \
	echo "Making $(VENV) with $$("$$python" --version)"; \
	if ! "$$python" -m venv $(VENV) >/dev/null 2>&1; then \
		rm -rf $(VENV); \
		if ! { "$$python" -m venv --without-pip $(VENV) && \
			"$$python" -m pip --python $(VENV)/bin/python install --quiet pip; }; then \
			rm -rf $(VENV); \
			echo "$$python cannot make a virtual environment." >&2; \
			echo 'On Debian and Ubuntu: apt-get install python3-venv' >&2; exit 1; \
		fi; \
	fi

# Build isolation would fetch an unpinned hatchling; the pins hold it and what it needs instead.
$(VENV)/.ready: requirements.txt pyproject.toml | $(VENV)/bin/python
	@echo 'Installing the pinned packages (a minute or so the first time)'
	@$(BIN)/python -m pip install --quiet --disable-pip-version-check --require-hashes -r requirements.txt
	@$(BIN)/python -m pip install --quiet --disable-pip-version-check --no-deps --no-build-isolation -e .
	@touch $@

$(VENV)/.ready-dev: requirements-dev.txt $(VENV)/.ready
	@$(BIN)/python -m pip install --quiet --disable-pip-version-check --require-hashes -r requirements-dev.txt
	@touch $@
