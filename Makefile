# Everything a developer does here. `make help` lists it.
PYTHON ?= python3
BIN := .venv/bin
INSTALLED := .venv/.installed

.DEFAULT_GOAL := help
.PHONY: help install demo test test-all check format bench clean

help: ## Say what there is
	@awk -F ':.*## ' '/^[a-z-]+:.*## / {printf "  make %-9s %s\n", $$1, $$2}' $(MAKEFILE_LIST)

install: $(INSTALLED) ## Make .venv with all that the other targets need

$(INSTALLED): pyproject.toml constraints.txt
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' || \
		{ echo 'Tidegate needs Python 3.11 or newer: make $(MAKECMDGOALS) PYTHON=python3.12' >&2; exit 2; }
	@test -x $(BIN)/python || $(PYTHON) -m venv .venv
	$(BIN)/python -m pip install --quiet --disable-pip-version-check -c constraints.txt -e '.[demo,bench,forecast,dev]'
	@touch $@

demo: install ## Play a flash sale of a real retailer's baskets
	$(BIN)/tidegate demo

# Two at a time: most of a minute one of them waits for processes to start or end.
test: install ## Run the tests that end within minutes
	$(BIN)/python -m pytest --numprocesses 2 --dist worksteal

test-all: install ## Run every test, the long ones too
	$(BIN)/python -m pytest -m ''

check: install ## Format, lint, types and arrows, as the tests on a change do
	$(BIN)/ruff format --check .
	$(BIN)/ruff check .
	$(BIN)/mypy
	$(BIN)/lint-imports

format: install ## Put the code into the form that check asks for
	$(BIN)/ruff format .
	$(BIN)/ruff check --fix .

bench: install ## Measure, with the baselines in the same run
	$(BIN)/tidegate bench flash-sale

clean: ## Remove what was built or measured here, .venv too
	rm -rf .venv build dist out .mypy_cache .ruff_cache .pytest_cache .hypothesis .import_linter_cache
	find engine solver actors gateway bench tests -name __pycache__ -type d -prune -exec rm -rf {} +
