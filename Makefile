# Two commands do everything: `make run` and `make test`. The plain commands they stand for are in the README.

PYTHON ?= python3
CORES ?= 8
WORKERS ?= 2
ARGS ?=
STORE ?= sqlite:///results/mlflow.db
VENV := .venv
BIN := $(VENV)/bin
PIP := $(BIN)/python -m pip --disable-pip-version-check

# what the tools call in turn is found where they are
export PATH := $(CURDIR)/$(BIN):$(PATH)

.DEFAULT_GOAL := help
.PHONY: help run ui test test-all test-gpu pictures docs bench generate golden ship lint clean distclean

help:  ## show this list
	@grep -hE '^[a-z-]+:.*##' $(MAKEFILE_LIST) | sed -E 's/:.*##/\t/' | expand -t 12

run: $(VENV)/.installed-run  ## install, then run the default study (ARGS="--configfile studies/luna16.yaml" for another)
	snakemake --cores $(CORES) $(ARGS)

# the pages need no job runner, which takes 2 GB. No words behind a value: make keeps the blanks before them
ui: export MLFLOW_SERVER_ENABLE_JOB_EXECUTION = false
ui: export MLFLOW_DISABLE_TELEMETRY = true
ui: $(VENV)/.installed-run  ## show the runs of all studies at http://127.0.0.1:5000 (STORE=sqlite:///other/mlflow.db)
	mlflow ui --workers 1 --backend-store-uri $(STORE)

test: $(VENV)/.installed-test  ## install what tests need, then run the fast ones
	pytest -n $(WORKERS) $(ARGS)

test-all: $(VENV)/.installed-test  ## the tests that take minutes, too
	HYPOTHESIS_PROFILE=exploring pytest -n $(WORKERS) -m "not gpu" $(ARGS)

test-gpu: $(VENV)/.installed-test  ## the tests that need a CUDA device
	pytest -m gpu $(ARGS)

pictures: $(VENV)/.installed-test  ## draw the pictures of docs/ again, from the studies in results/ that docs/site/draw_pictures.py names
	PYTHONPATH=tests/support python docs/site/draw_pictures.py

docs: export NO_MKDOCS_2_WARNING = 1
docs: $(VENV)/.installed-test  ## build the documentation site into build/site; a warning is an error
	mkdocs build --strict

bench: $(VENV)/.installed-bench  ## install the peers, then run every benchmark
	set -e; for file in benchmarks/bench_*.py; do echo "== $$file"; python "$$file"; done

generate: $(VENV)/.installed-test  ## write config.yaml, its schema, envs/, and the pages and schemas that follow from the source
	python -m lungpipe.settings.generate
	python -m lungpipe.prediction.schema docs/result.schema.json
	python tests/support/edit_matrix.py
	python docs/site/command_reference.py docs/cli.md
	python docs/site/python_reference.py docs/python_reference.md

golden: $(VENV)/.installed-test  ## record the losses of every network again, after a change of computation
	PYTHONPATH=tests/support python tests/golden/record_losses.py tests/golden/losses.json

ship: $(VENV)/.installed-test  ## put the model in folder MODEL into the package, and record its outputs
	PYTHONPATH=tests/support python tests/golden/record_shipped.py $(MODEL)

lint: $(VENV)/.installed-test  ## formatters, types and import contracts
	ruff check .
	ruff format --check .
	snakefmt --check Snakefile workflow
	mypy
	lint-imports

clean:  ## remove caches; results and the environment stay
	rm -rf .pytest_cache .mypy_cache .ruff_cache .import_linter_cache .hypothesis build
	find . -path ./$(VENV) -prune -o -name __pycache__ -type d -prune -exec rm -rf {} +

distclean: clean  ## remove the environment and Snakemake's records, too
	rm -rf $(VENV) .snakemake

$(BIN)/python:
	@$(PYTHON) -c 'import sys; v = sys.version_info; sys.exit(0 if v >= (3, 11) else f"lungpipe: expected Python 3.11 or newer, found {v.major}.{v.minor}; set PYTHON=python3.11")'
	$(PYTHON) -m venv $(VENV)

# a stamp is older than what it stands for after an edit of either file: then pip looks again
$(VENV)/.installed-run: pyproject.toml constraints.txt | $(BIN)/python
	$(PIP) install -c constraints.txt -e .
	touch $@

$(VENV)/.installed-test: pyproject.toml constraints.txt | $(BIN)/python
	$(PIP) install -c constraints.txt -e '.[test,slurm,docs,bundle,viz,notebooks]'
	touch $(VENV)/.installed-run $@

$(VENV)/.installed-bench: pyproject.toml constraints.txt | $(BIN)/python
	$(PIP) install -c constraints.txt -e '.[test,slurm,docs,bundle,viz,notebooks,bench]'
	touch $(VENV)/.installed-run $(VENV)/.installed-test $@
