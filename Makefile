VENV ?= .venv
PORT ?= 8888
# Seconds that one notebook cell may take in the tests.
CELL_TIMEOUT ?= 300
PY = $(VENV)/bin/python
FIRST = $(firstword $(sort $(wildcard notebooks/*.ipynb)) notebooks)
ROOT = $(if $(filter 0,$(shell id -u)),--allow-root)

.PHONY: help lab test check browser colab notebooks rehearse book slides bench judge links runs studies dashboard results lint constraints clean

help:  ## list these targets
	@sed -n 's/^\([a-z]*\):.*## /make \1\t/p' $(MAKEFILE_LIST) | expand -t 20

lab: $(VENV)/.installed  ## open the course in JupyterLab (headless: make lab PORT=8899 BROWSER=none)
	$(PY) -m jupyter lab --port=$(PORT) $(if $(filter none,$(BROWSER)),--no-browser) $(ROOT) $(FIRST)

test: $(VENV)/.installed  ## unit tests, then every notebook top to bottom with the shortest budget
	@$(MAKE) --no-print-directory check

check:  # what `make test` runs once everything is installed; test_notebooks.py runs the solutions
	QUADLIB_BUDGET=ci $(PY) -m pytest tests $(sort $(wildcard notebooks/*.ipynb)) --nbval-lax \
		--nbval-current-env --nbval-cell-timeout=$(CELL_TIMEOUT) --numprocesses=2 --dist=loadfile \
		--no-loadscope-reorder $(PYTEST_ARGS)

browser: $(VENV)/.installed  ## the browser tests alone, with pictures (needs Chromium; PICTURES=folder)
	QUADLIB_BUDGET=ci SCREENSHOTS=$(or $(PICTURES),.cache/pictures) $(PY) -m pytest tests/browser $(PYTEST_ARGS)

colab: $(VENV)/.installed  ## run the notebooks with Colab's versions, in an empty folder (NAME="02 03")
	$(PY) tests/colab/rehearse.py $(NAME)

notebooks: $(VENV)/.installed  ## run and rewrite the notebooks from notebooks/src (one: NAME=02; parts of it: PARTS="1 9")
	$(PY) notebooks/build.py --execute $(NAME) $(if $(PARTS),--parts $(PARTS))

rehearse: $(VENV)/.installed  ## a lecture with the clock (LECTURE="02:1,2,6 03")
	$(PY) notebooks/rehearse.py $(LECTURE)

book: $(VENV)/.installed  ## the course as a web site, in build/book (opens from disk, offline)
	$(PY) web/book.py

slides: $(VENV)/.installed  ## the notebooks as slides for a projector, in build/slides (offline)
	$(PY) web/slides.py

bench: $(VENV)/.installed  ## measure speed, printed as ratios
	@set -e; for script in tests/bench/bench_*.py; do $(PY) $$script; done

judge: $(VENV)/.installed  ## an agent in pybullet_envs' own Minitaur (make judge AGENT=file.safetensors)
	$(PY) tests/judge/judge.py $(AGENT) $(JUDGE_ARGS)

links: $(VENV)/.installed  ## point all links at your fork (make links REPO=owner/name BRANCH=main)
	$(PY) web/links.py '$(REPO)' '$(or $(BRANCH),main)'

runs: $(VENV)/.installed  ## train the long runs, or what is missing of them: hours (RUNS="ppo trpo")
	$(PY) quadlib/agents/long_runs.py $(RUNS)

studies: $(VENV)/.installed  ## the full studies of notebook 5 and their finalists: hours (STUDIES="ppo trpo")
	$(PY) -W ignore quadlib/agents/tune.py $(STUDIES)

dashboard: $(VENV)/.installed  ## the studies in optuna-dashboard, at http://127.0.0.1:8080
	$(PY) quadlib/agents/dashboard.py

results: $(VENV)/.installed  ## judge the long runs three ways, write the README's table (RUNS="ppo trpo")
	$(PY) tests/judge/judge_runs.py $(RUNS)
	$(PY) quadlib/agents/results.py

lint: $(VENV)/.installed  ## style and likely mistakes
	$(PY) -m ruff check .

constraints: $(VENV)/.installed  ## pin new requirements (to move all pins: make constraints UPGRADE=--upgrade)
	$(PY) -m uv pip compile --quiet --universal --python-version=3.11 --no-annotate --extra=dev $(UPGRADE) \
		--custom-compile-command='make constraints' pyproject.toml --output-file=constraints.txt

clean:  ## remove the virtual environments and what was built
	rm -rf $(VENV) .cache/judge .cache/book build

$(VENV)/.installed: requirements.txt constraints.txt pyproject.toml .ci/venv
	@PYTHON='$(PYTHON)' .ci/venv $(VENV)
	@touch $@
