# Everything runs in .venv, made by `make install`.   make help   lists the targets.
PYTHON ?= python3
VENV   := .venv
BIN    := $(VENV)/bin
STAMP  := $(VENV)/.installed

.DEFAULT_GOAL := help
.PHONY: help install demo test test-simulated test-realtime nightly check reference format lab interop coverage bench clean

help: ## this list
	@awk -F':.*## ' '/^[a-z-]+:.*## /{printf "  make %-10s %s\n", $$1, $$2}' $(MAKEFILE_LIST)

install: $(STAMP) ## set up .venv (idempotent)

$(STAMP): pyproject.toml
	@test -x $(BIN)/python || $(PYTHON) -m venv $(VENV)
	@$(BIN)/python -c 'import sys; sys.exit(sys.version_info < (3, 11))' || { echo "sipua needs Python 3.11 or later (PYTHON=... chooses it)" >&2; exit 2; }
	$(BIN)/pip install --quiet --disable-pip-version-check --upgrade "pip>=25.1"
	$(BIN)/pip install --quiet --disable-pip-version-check -e ".[cli,phone]" --group dev
	@touch $@

demo: $(STAMP) ## a real call to the embedded server: register, call echo, play, record, check   [FILE=my.wav]
	@$(BIN)/python -m examples.demo $(if $(FILE),"$(FILE)")

test: $(STAMP) ## all tests that need no root and no other server
	@$(MAKE) --no-print-directory -j2 -k test-simulated test-realtime

# Both at once: what is on the real clock waits most of its time, and comes first when it does not.
test-simulated: $(STAMP)
	nice -n 19 $(BIN)/python -m pytest -q -n auto --dist loadfile -m "not realtime" -o cache_dir=.pytest_cache/simulated

test-realtime: $(STAMP)
	$(BIN)/python -m pytest -q -n auto --dist loadfile -m realtime

nightly: $(STAMP) ## the property tests of what has states, ten thousand runs each (about half an hour)
	$(BIN)/python -m pytest -v -m stateful --hypothesis-profile=nightly -o timeout=0

check: $(STAMP) ## lint, format, types, doors
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy
	$(BIN)/lint-imports --no-cache

reference: $(STAMP) ## docs/cli.md, the manual page and the schema of the events, from the commands
	$(BIN)/python -m docs.reference

format: $(STAMP) ## put the code into shape
	$(BIN)/ruff check --fix .
	$(BIN)/ruff format .

coverage: $(STAMP) ## branch coverage; fails under 95 % for sipua/sip
	$(BIN)/coverage erase
	$(BIN)/coverage run -m pytest -q
	$(BIN)/coverage report
	$(BIN)/coverage report --include='sipua/sip/*' --fail-under=95

lab: ## install Asterisk, Kamailio, coturn and Chromium for the interop tests (root, Debian)
	tests/lab/install.sh

interop: $(STAMP) ## tests against real Asterisk, Kamailio, coturn, JsSIP and SIP.js   [LAB=compose]
	tests/lab/run.sh $(LAB)

bench: $(STAMP) ## the figures of docs/performance.md
	$(BIN)/python -m benchmarks

clean: ## remove everything made here
	rm -rf $(VENV) .mypy_cache .ruff_cache .pytest_cache .hypothesis demo-call.wav
