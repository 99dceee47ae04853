# What this project can do, one target each; `make` alone lists them.
# `make demo` and `make test` need Python 3.11 or newer, and nothing else.

SHELL := /bin/bash
VENV  := .venv
BIN   := $(VENV)/bin
PIP   := $(BIN)/python -m pip install --disable-pip-version-check --constraint constraints.txt

.DEFAULT_GOAL := help
.DELETE_ON_ERROR:
.PHONY: help demo test setup format lint types arch unit laws fault e2e bench chaos kafka up down java chromium clean

help: ## list the targets
	@awk -F ':.*## ' '/^[a-z0-9]+:.*## /{printf "  make %-8s %s\n", $$1, $$2}' $(MAKEFILE_LIST)

demo: $(VENV)/installed ## make videos, index them, edit copies, find them: about a minute
	$(BIN)/vcd demo

test: $(VENV)/installed-dev java chromium ## everything that must hold: lint, types, arrows, all tests
	$(BIN)/ruff check
	$(BIN)/ruff format --check
	$(BIN)/codespell
	$(BIN)/mypy
	$(BIN)/lint-imports
	$(BIN)/pytest

setup: $(VENV)/installed-dev ## make .venv with all that work on the code needs

format: $(VENV)/installed-dev ## put the code into its one form
	$(BIN)/ruff check --fix
	$(BIN)/ruff format

lint: $(VENV)/installed-dev ## style and spelling
	$(BIN)/ruff check
	$(BIN)/ruff format --check
	$(BIN)/codespell

types: $(VENV)/installed-dev ## mypy, strict
	$(BIN)/mypy

arch: $(VENV)/installed-dev ## the arrows between the rooms
	$(BIN)/lint-imports
	$(BIN)/pytest tests/house

unit: $(VENV)/installed-dev ## the fast tests
	$(BIN)/pytest tests/unit tests/property tests/golden

laws: $(VENV)/installed-dev ## look for new examples that break a law (make test tries the same ones every time)
	$(BIN)/pytest tests/property --hypothesis-profile=search

fault: $(VENV)/installed-dev ## hostile files, killed processes, full disks
	$(BIN)/pytest tests/fault

e2e: $(VENV)/installed-dev ## the commands, as a stranger runs them
	$(BIN)/pytest tests/e2e

bench: $(VENV)/installed ## how fast each stage is on this machine
	$(BIN)/vcd bench

chaos: $(VENV)/installed-dev java ## 1,000 uploads through workers that are killed and frozen, on both logs: 15 minutes
	$(BIN)/python -m tests.chaos $(CHAOS)

kafka: $(VENV)/installed-dev java ## run a Kafka broker on 127.0.0.1:9092 until ^C; its data stay in .kafka/data
	$(BIN)/python -m tests.kafka.broker

up: ## the whole service in containers: Kafka, workers, a producer, Prometheus, Grafana
	docker compose up --build --detach

down: ## stop it, and keep its data
	docker compose down

java: # what the tests' broker runs on, and what fetches it: installed where that can be done
	@if command -v java >/dev/null && command -v mvn >/dev/null; then exit 0; fi; \
	if [ "$$(id -u)" = 0 ] && command -v apt-get >/dev/null; then \
	  export DEBIAN_FRONTEND=noninteractive; \
	  apt-get update -qq && apt-get install -y -qq --no-install-recommends default-jdk-headless maven && exit 0; \
	fi; \
	echo "make: the Kafka tests need Java 17 or newer and Maven" \
	  "(on Debian: apt install default-jdk-headless maven): they skip, unless VCD_REQUIRE names kafka" >&2

chromium: # what the tests read the review page with: installed where that can be done
	@if command -v chromium >/dev/null; then exit 0; fi; \
	if [ "$$(id -u)" = 0 ] && command -v apt-get >/dev/null; then \
	  export DEBIAN_FRONTEND=noninteractive; \
	  apt-get update -qq && apt-get install -y -qq --no-install-recommends chromium fonts-dejavu-core && exit 0; \
	fi; \
	echo "make: the tests of the review page need Chromium (on Debian: apt install chromium" \
	  "fonts-dejavu-core): they skip, unless VCD_REQUIRE names browser" >&2

clean: ## remove what can be made again, .venv included
	rm -rf $(VENV) demo build dist *.egg-info .pytest_cache .mypy_cache .ruff_cache .hypothesis .import_linter_cache .kafka

$(VENV)/made:
	@set -e; \
	for python in python3.11 python3.12 python3.13 python3; do \
	  if "$$python" -c 'import sys; sys.exit(sys.version_info < (3, 11))' 2>/dev/null; then \
	    "$$python" -c 'import venv, ensurepip' 2>/dev/null || { \
	      echo "make: $$python cannot make virtual environments: its venv module is missing" \
	        "(on Debian: apt install python3-venv)" >&2; exit 1; }; \
	    "$$python" -m venv $(VENV); touch $@; exit 0; \
	  fi; \
	done; \
	echo "make: wanted Python 3.11 or newer, found none (tried python3.11 to python3.13, python3)" >&2; \
	exit 1

$(VENV)/installed: $(VENV)/made pyproject.toml constraints.txt
	$(PIP) --editable .
	@touch $@

$(VENV)/installed-dev: $(VENV)/made pyproject.toml constraints.txt
	$(PIP) --editable '.[dev]'
	@touch $(VENV)/installed $@
