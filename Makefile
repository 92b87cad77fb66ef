# `make` lists the targets. What a target needs is installed into .venv; PYTHON may name another interpreter (3.11 or
# newer). The extras of pyproject.toml are installed in steps: pages to render, book to run the chapters, dev to test.

PYTHON ?= python3
VENV   ?= .venv
JOBS   ?= 2
TEX    := texlive-xetex texlive-latex-extra texlive-fonts-recommended latexmk fonts-freefont-otf

BIN   := $(VENV)/bin

# the extras that another one brings along
WITHIN_book := pages
WITHIN_lab  := pages book
WITHIN_dev  := pages book

# one thread for each of the processes that run side by side
export OMP_NUM_THREADS = 1
export OPENBLAS_NUM_THREADS = 1
export MKL_NUM_THREADS = 1
# whatever a reader prefers: no window is opened here, and the kernels of the chapters draw inline by themselves
export MPLBACKEND = agg
export PIP_DISABLE_PIP_VERSION_CHECK = 1

.DEFAULT_GOAL := help
.PHONY: help html book lab pdf quick theory test test-slow lint bench clean

help: ## list the targets
	@awk -F ':.*## ' '/^[a-z-]+:.*## / { printf "make %-10s %s\n", $$1, $$2 }' $(MAKEFILE_LIST)

book: $(VENV)/.book ## run the chapters that are out of date and render the book into _build/html
	$(BIN)/python book/execute.py --stale --jobs $(JOBS)
	$(BIN)/python book/overview.py
	@$(MAKE) --no-print-directory html

quick: $(VENV)/.dev ## lint, and run the tests of the theory: a minute
	@$(MAKE) --no-print-directory --jobs 2 --output-sync=target lint theory

theory: $(VENV)/.dev ## run the tests of the theory
	$(BIN)/python -m pytest -n $(JOBS) -m "not slow" tests/theory

# First side by side: the pages, style and types, and the tests of the theory.
test: $(VENV)/.dev ## lint, render the committed chapters, run the tests, re-run the chapters and compare
	@$(MAKE) --no-print-directory --jobs 3 --output-sync=target html lint theory
	$(BIN)/python -m pytest -n $(JOBS) --dist loadfile -m "not slow" --ignore tests/benchmarks --ignore tests/theory
	$(BIN)/python book/execute.py --check --stale --jobs $(JOBS)

test-slow: $(VENV)/.dev ## run the tests that take minutes
	$(BIN)/python -m pytest -m slow

# An incremental build repeats no warning of a page it does not read again, so a failed build leaves nothing behind.
html: $(VENV)/.pages ## render the committed chapters into _build/html without running them
	$(BIN)/jupyter-book build . -W -n --keep-going || { rm -rf _build/.doctrees; exit 1; }

# Copies with all that came out of them: whatever is done to them, the book stays as it is.
lab: $(VENV)/.lab ## open copies of the executed chapters in JupyterLab, to change and run
	mkdir -p _build/lab
	cp -u book/chapters/*.ipynb _build/lab
	$(BIN)/jupyter lab --notebook-dir _build/lab

pdf: $(VENV)/.pages ## render the committed chapters as one PDF, _build/latex/ptft.pdf; needs xelatex
	@command -v xelatex >/dev/null && command -v latexmk >/dev/null || { \
	  echo "make pdf needs xelatex and latexmk; in Debian: apt-get install --no-install-recommends $(TEX)" >&2; exit 1; }
	$(BIN)/jupyter-book build . -W -n --keep-going --builder latex || { rm -rf _build/.doctrees; exit 1; }
	cd _build/latex && latexmk -g -xelatex -interaction=nonstopmode -halt-on-error -quiet ptft.tex

lint: $(VENV)/.dev ## check style and types
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy

bench: export OMP_NUM_THREADS = $(JOBS)
bench: export OPENBLAS_NUM_THREADS = $(JOBS)
bench: export MKL_NUM_THREADS = $(JOBS)
bench: $(VENV)/.dev ## run the benchmarks
	$(BIN)/python -m pip install --quiet -c constraints.txt -e '.[dev,bench]'
	$(BIN)/python -m pytest tests/benchmarks -m "slow or not slow" -s

clean: ## remove what was built, but neither .venv nor the committed chapters
	rm -rf _build .pytest_cache .ruff_cache .mypy_cache .hypothesis

$(VENV)/.%: pyproject.toml constraints.txt
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11) and "Python 3.11 or newer is needed: make PYTHON=...")'
	test -x $(BIN)/python || $(PYTHON) -m venv $(VENV)
	$(BIN)/python -m pip install --quiet -c constraints.txt -e '.[$*]'
	@touch $(foreach extra,$(WITHIN_$*) $*,$(VENV)/.$(extra))
