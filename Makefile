# Two commands matter: `make run` and `make test`. Both set up what they need in .venv first.
PYTHON ?= python3
VENV   := .venv
BIN    := $(VENV)/bin
READY  := $(VENV)/.ready

.PHONY: run test check format bench clean schema

run: $(READY)  ## the main job: the shipped LDO sequence on the simulated bench
	$(BIN)/benchwright run sequences/ldo_tempco.yaml --station stations/sim_bench.yaml --report

test: $(READY) ## lint, types, import contracts and every test
	$(MAKE) --no-print-directory lint
	$(BIN)/python -m pytest -n auto

check: $(READY) ## the quick door: lint, types, contracts and the tests that take no time
	$(MAKE) --no-print-directory lint
	$(BIN)/python -m pytest -n auto -x -m "not slow"

.PHONY: lint
lint: $(READY)
	$(BIN)/ruff format --check .
	$(BIN)/ruff check .
	$(BIN)/mypy
	$(BIN)/lint-imports

format: $(READY)
	$(BIN)/ruff format .
	$(BIN)/ruff check --fix .

schema: $(READY) ## write the editor schemas again
	$(BIN)/benchwright schema --write

bench: $(READY) ## measure, print the table of docs/benchmarks.md
	$(BIN)/python -m tests.bench

clean:
	rm -rf $(VENV) .mypy_cache .ruff_cache .pytest_cache .import_linter_cache build dist results

$(READY): pyproject.toml
	$(PYTHON) -m venv $(VENV)
	$(BIN)/python -m pip install --quiet --disable-pip-version-check --editable '.[dev]'
	touch $(READY)
