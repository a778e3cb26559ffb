# make demo   makes the environment, then a blurry clip (or INPUT=clip.mp4) and its sharp version
# make test   makes the environment, then runs every test
# make bench  makes the environment, then measures everything, half an hour on two cores: bench/results/report.html
# make lint   checks the style

PYTHON ?= python3
VENV   := .venv
BIN    := $(VENV)/bin
READY  := $(VENV)/.ready
OUTPUT ?= demo
INPUT  ?=

.PHONY: demo test bench lint clean

demo: $(READY)
	$(BIN)/vdeblur demo --output "$(OUTPUT)" $(if $(INPUT),--input "$(INPUT)")

test: $(READY)
	OMP_NUM_THREADS=1 $(BIN)/python -m pytest -n auto --dist loadfile --no-loadscope-reorder

bench: $(VENV)/.bench
	$(BIN)/python -m bench.report

# What ours is compared with
$(VENV)/.bench: $(READY)
	$(BIN)/python -m pip install --quiet -c constraints.txt -e '.[bench]'
	touch $@

lint: $(READY)
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .

# The environment is made anew when what it is made from changes; an interrupted one does not count as made.
$(READY): pyproject.toml setup.py constraints.txt
	$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11) and "vdeblur_fast needs Python 3.11 or newer, this is " + sys.version.split()[0] + "; name another with: make PYTHON=python3.12")'
	$(PYTHON) -m venv $(VENV)
	$(BIN)/python -m pip install --quiet --upgrade -c constraints.txt pip
	$(BIN)/python -m pip install --quiet -c constraints.txt torch
	$(BIN)/python -m pip install --quiet -c constraints.txt -e '.[dev]'
	touch $(READY)

clean:
	rm -rf $(VENV) build dist *.egg-info
