# Every command here sets up what it needs, once. `make` alone says what there is.
SCENES  ?= kitchen
OUT     ?=
SHOTS   ?=
SEED    ?=
WORKERS ?=
ARGS    ?=
# Taken literally and handed over in the environment: nothing in a value is ever run by make or by the shell.
override SCENES  := $(value SCENES)
override OUT     := $(value OUT)
override SHOTS   := $(value SHOTS)
override SEED    := $(value SEED)
override WORKERS := $(value WORKERS)
override ARGS    := $(value ARGS)
export SCENES OUT SHOTS SEED WORKERS ARGS

VENV := .venv
BIN  := $(VENV)/bin
DONE := $(VENV)/.setup-done
MAKES_THE_INSTALL := pyproject.toml constraints.txt CMakeLists.txt $(shell find synth4d -name '*.cpp' -o -name '*.h')
# What fits a NeRF. nerfstudio asks for 192 packages (servers, trackers, loaders of captures) and pins old ones; its
# fields, samplers and renderers, which are all that is used, import these and what the extra `nerf` names.
NERF_PARTS := nerfstudio viser tensorboard
# The extension is built in place; what CMake leaves beside it is of no further use.
LEFT_BY_THE_BUILD := CMakeCache.txt CMakeFiles CMakeInit.txt build.ninja cmake_install.cmake libnanobind-static.a .ninja_log .ninja_deps .cmake .skbuild-info.json
# What `mesh` and `import` need. pyrender asks for a PyOpenGL that can't draw by OSMesa, so it comes without its list.
MESH := $(VENV)/.mesh-done
MESH_PARTS := open3d freetype-py networkx six 'pyglet<2' imageio
OPTIONS = $${SHOTS:+--shots "$$SHOTS"} $${SEED:+--seed "$$SEED"} $${WORKERS:+--workers "$$WORKERS"} $$ARGS

.DEFAULT_GOAL := help
.PHONY: help setup mesh dataset benchmark smoke browse test chaos check format bench bench-truth clean

help:  ## this list
	@awk -F ':.*## ' '/^[a-z-]+:.*## / {printf "  make %-11s %s\n", $$1, $$2}' Makefile
	@echo
	@echo "  SCENES=kitchen,toy OUT=DIR SHOTS=N SEED=N WORKERS=N ARGS='--set fps=8'"

setup: $(DONE)  ## build .venv: needs Python 3.11 or later and a C++17 compiler

$(DONE): $(MAKES_THE_INSTALL)
	@command -v c++ >/dev/null || command -v g++ >/dev/null || command -v clang++ >/dev/null || \
		{ echo "error: no C++ compiler found; install one (Debian, Ubuntu: apt install g++)" >&2; exit 1; }
	@set -e; test -x $(BIN)/python || { \
		for python in "$${PYTHON:-python3}" python3 python3.13 python3.12 python3.11; do \
			"$$python" -c 'import sys; sys.exit(sys.version_info < (3, 11))' 2>/dev/null && break; python=; \
		done; \
		test -n "$$python" || { echo "error: no Python 3.11 or later found; install one or give PYTHON=" >&2; exit 1; }; \
		"$$python" -m venv $(VENV); }
	@echo "setting up $(VENV) (once, some minutes)"
	@$(BIN)/python -m pip install --quiet --disable-pip-version-check -c constraints.txt scikit-build-core nanobind cmake ninja
	@$(BIN)/python -m pip install --quiet --disable-pip-version-check --no-build-isolation -c constraints.txt -e '.[dev,nerf,llm,remote]'
	@$(BIN)/python -m pip install --quiet --disable-pip-version-check --no-deps -c constraints.txt $(NERF_PARTS)
	@rm -rf $(LEFT_BY_THE_BUILD)
	@touch $@

$(MESH): $(DONE)
	@$(BIN)/python -m pip install --quiet --disable-pip-version-check -c constraints.txt $(MESH_PARTS)
	@$(BIN)/python -m pip install --quiet --disable-pip-version-check --no-deps -c constraints.txt pyrender
	@touch $@

mesh: $(MESH)  ## add open3d and pyrender, which bench-truth, `--renderer mesh` and `import --propose` need

dataset: setup  ## a dataset of SCENES, in OUT (out/<scenes>); goes on where it was stopped
	@$(BIN)/synth4d dataset "$$SCENES" $${OUT:+--out "$$OUT"} $(OPTIONS)

benchmark: setup  ## the evaluation set of pipelines/benchmark.yaml, held against the digests beside it
	@$(BIN)/synth4d dataset --config pipelines/benchmark.yaml --out "$${OUT:-out/benchmark}" $(OPTIONS)
	@if [ -n "$$SHOTS$$SEED$$ARGS" ]; then echo "not compared with pipelines/benchmark.digests: SHOTS, SEED or ARGS is given"; \
		else $(BIN)/synth4d digest "$${OUT:-out/benchmark}" --against pipelines/benchmark.digests; fi

smoke: setup  ## a few shots of the small room, in seconds
	@$(BIN)/synth4d dataset --config pipelines/smoke.yaml --out "$${OUT:-out/smoke}" --workers "$${WORKERS:-0}" $(OPTIONS)

browse: setup  ## look at a dataset in the browser (OUT, else out/<scenes>)
	@$(BIN)/synth4d browse "$${OUT:-out/$$(printf %s "$$SCENES" | tr , -)}" --serve $$ARGS

test: setup  ## all tests
	@$(BIN)/python -m pytest $$ARGS

chaos: setup  ## disturb runs in every way of the fault matrix, and count what was not as promised (ARGS: rows, --short)
	@PYTHONPATH=tests $(BIN)/python -m chaos $$ARGS

check: setup  ## style, types and layers
	@$(BIN)/ruff check .
	@$(BIN)/ruff format --check .
	@$(BIN)/mypy
	@$(BIN)/lint-imports

format: setup  ## put the sources in the house style
	@$(BIN)/ruff check --fix-only --quiet .
	@$(BIN)/ruff format .

bench: setup  ## measure, each figure against a named baseline
	@$(BIN)/synth4d bench $$ARGS

bench-truth: mesh  ## depth, ids and boxes of every renderer against ray casts by open3d
	@$(BIN)/synth4d bench truth $$ARGS

clean:  ## remove build products and caches; datasets and .venv stay
	@rm -rf build dist $(LEFT_BY_THE_BUILD) .pytest_cache .mypy_cache .ruff_cache .hypothesis .import_linter_cache
	@find synth4d tests -name __pycache__ -type d -prune -exec rm -rf {} +
