# The verbs that people and CI use. `make leaderboard` and `make test` need only Python 3.11 and git.
PYTHON ?= python3.11
BIN := .venv/bin
SUITE ?= quick
.PHONY: setup leaderboard test bench format vendor

setup: .venv/ready-dev ## everything that contributors and CI need

leaderboard: .venv/ready ## run the suite, build the site, print a summary
	$(BIN)/tokonomy run --suite $(SUITE) || test $$? -eq 1 # failed runs are shown, not hidden
	$(BIN)/tokonomy results show --suite $(SUITE)
	$(BIN)/tokonomy publish

test: .venv/ready-dev ## every test and check that CI runs
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy
	$(BIN)/pytest -n 2 --dist loadfile --no-loadscope-reorder

bench: .venv/ready-dev ## speed of the harness itself
	$(BIN)/pytest tests/benchmarks -o python_files='bench_*.py' --benchmark-sort=name

format: .venv/ready-dev
	$(BIN)/ruff check --fix .
	$(BIN)/ruff format .

vendor: ## the chart library from its lock; needs Node, which nothing else does
	cd site/vendor && npm ci && npm run build

.venv/python: # the environment alone
	$(PYTHON) -m venv .venv || python3 -m venv .venv
	touch $@

.venv/ready: .venv/python pyproject.toml constraints.txt
	$(BIN)/pip install --quiet --disable-pip-version-check -c constraints.txt -e .
	touch $@

.venv/ready-dev: .venv/python pyproject.toml constraints.txt
	$(BIN)/pip install --quiet --disable-pip-version-check -c constraints.txt -e '.[dev]'
	touch $@ .venv/ready
