# make demo and make test need only git, make and Python 3.11 or newer: they install everything else into .venv.

SHELL := bash
.SHELLFLAGS := -euo pipefail -c
.DEFAULT_GOAL := help

bin := .venv/bin
installed := .venv/.installed
benchmarks := $(filter-out bench/soak%,$(wildcard bench/*.py))
soaks := $(wildcard bench/soak*.py)

# Byte code is kept whatever the shell says: each program that a test starts would compile all of Kaguan again.
unexport PYTHONDONTWRITEBYTECODE

.PHONY: help demo test check lint types walls bench soak coverage mutation

help:
	@echo "make demo   the main job, from order to reissued card; results in out/"
	@echo "make test   everything: linters, types, walls, all tests"
	@echo "make check  the same without the slow tests, in less than a minute"
	@echo "make lint | types | walls   one part of it"
	@echo "make bench | soak           how fast it is | how long it lasts"
	@echo "make coverage | mutation    how much of the chip the tests reach | what they would not notice"

$(installed): pyproject.toml constraints/dev.txt scripts/install
	@scripts/install
	@touch $@

demo: $(installed)
	@$(bin)/kaguan demo

test: $(installed) lint types walls
	@scripts/debian-packages
	@scripts/install-pyscard
	@$(bin)/pytest --numprocesses auto

check: $(installed) lint types walls
	@$(bin)/pytest --numprocesses auto -m "not slow"

lint: $(installed)
	@$(bin)/ruff check
	@$(bin)/ruff format --check

types: $(installed)
	@$(bin)/mypy

walls: $(installed)
	@$(bin)/lint-imports --no-logo

bench: $(installed)
	@for program in $(benchmarks); do echo "== $$program"; $(bin)/python "$$program"; done

soak: $(installed)
	@for program in $(soaks); do echo "== $$program"; $(bin)/python "$$program"; done

coverage: $(installed)
	@$(bin)/python scripts/coverage

mutation: $(installed)
	@$(bin)/python scripts/mutation
