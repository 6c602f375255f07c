# Everything a contributor types. Needs GNU make, git and Python 3.10 or newer (PYTHON=...).
PYTHON ?= python3
VENV   ?= .venv
OUT    ?= demo-output

BIN  := $(VENV)/bin
PIP  := $(BIN)/python -m pip --disable-pip-version-check --quiet
PINS := pyproject.toml constraints.txt

# The tests that need no browser and run no notebook; `make check` runs all of them.
FAST  := not slow and not gpu and not notebook and not browser
CHECK ?=
PYTEST_ARGS ?=
# A process a core, each with one thread; a file's tests stay together, for they share fits.
PARALLEL := -n auto --dist loadfile

# IPython warns of an environment that is active in the shell and is not ours.
unexport VIRTUAL_ENV

.DEFAULT_GOAL := help
.PHONY: help demo test check lint format notebooks screenshots clean distclean

help:  ## Say what there is to make
	@grep -E '^[a-z]+:.*##' $(MAKEFILE_LIST) | sed -E 's/^([a-z]+):.*## /  make \1\t/' | expand -t 18

demo: $(VENV)/.demo  ## Fit the Titanic end to end and write a report into demo-output/
	$(BIN)/tabnet-auto demo --out $(OUT)

test: $(VENV)/.dev  ## Run the fast tests, doctests and README blocks
	OMP_NUM_THREADS=1 $(BIN)/python -m pytest $(PARALLEL) -m "$(FAST)" $(PYTEST_ARGS)

check: lint  ## Run the whole gate: format, lint, types, floors, every test, coverage
	$(BIN)/python -m pytest -m "$(CHECK)" --cov --cov-report=term $(PYTEST_ARGS)

lint: $(VENV)/.dev  ## Check format, lint, types and floors
	$(BIN)/ruff format --check .
	$(BIN)/ruff check .
	$(BIN)/mypy
	$(BIN)/lint-imports --no-logo

format: $(VENV)/.dev  ## Format the code and fix what can be fixed
	$(BIN)/ruff check --fix --exit-zero --quiet .
	$(BIN)/ruff format .
	$(BIN)/ruff check .

notebooks: $(VENV)/.dev  ## Build notebooks/*.ipynb from their .py sources and execute them
	$(BIN)/python notebooks/_build.py

screenshots: $(VENV)/.dev  ## Make the pictures of report and dashboard in docs/images (minutes)
	$(BIN)/python docs/screenshots.py

clean:  ## Remove what was built, but keep the virtual environment
	rm -rf build dist $(OUT) .coverage htmlcov .mypy_cache .ruff_cache .pytest_cache \
		.import_linter_cache .hypothesis
	find . -name __pycache__ -not -path './$(VENV)/*' -prune -exec rm -rf {} +

distclean: clean  ## Remove the virtual environment too
	rm -rf $(VENV)

# A stamp is older than the pins when they changed: then pip brings the environment up to date.
$(VENV)/.python:
	$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 10) and "Python 3.10 or newer is needed: make PYTHON=...")'
	$(PYTHON) -m venv --clear $(VENV)
	@touch $@

$(VENV)/.demo: $(VENV)/.python $(PINS)
	$(PIP) install -c constraints.txt -e .
	@touch $@

$(VENV)/.dev: $(VENV)/.python $(PINS)
	$(PIP) install -c constraints.txt -e '.[dev]'
	@touch $@ $(VENV)/.demo
