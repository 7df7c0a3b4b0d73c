# Targets that prepare what a command of `valence` needs, then call the command; `make help` lists them.
# Python packages go to .venv; corpora, checkpoints and trained models go to .valence.

PYTHON ?= python3
HOST ?= 127.0.0.1
PORT ?= 3000
MODEL ?= sentiment
# a file, or the name of one in training/config/presets
CONFIG = $(MODEL)
# `make serve` trains those of them that the store lacks
MODELS ?= sentiment topic

VENV := .venv
BIN := $(VENV)/bin
VALENCE := $(BIN)/valence
# a stamp .venv/.NAME says that the packages NAME are installed
BASE := $(VENV)/.base
TRACKING := $(VENV)/.tracking
DEVELOPMENT := $(VENV)/.development
# data sets of the Hub need a package of their own
HUB = $(if $(filter hf hf:%,$(DATA)),$(VENV)/.hub)
SCHEMAS := $(VENV)/schemas
CONSTRAINTS := requirements/constraints.txt
PIP_OPTIONS := --disable-pip-version-check --quiet
PIP := $(BIN)/python -m pip $(PIP_OPTIONS)

export BENTOML_HOME ?= $(CURDIR)/.valence/bentoml
export BENTOML_DO_NOT_TRACK := True

# A value of the user reaches a recipe as GIVEN_NAME in the environment, letter by letter. In the text of a
# recipe make would expand a $, and the shell would read spaces, quotes and semicolons. `override` with
# `value` keeps make from expanding a value that comes from the command line or the environment.
VALUES := AGAINST ARGS BENTOML_HOME BUILD_ARGS CONFIG DATA ENCODING GIGABYTES HOST IN JOBS LABEL LM MINUTES \
	MODEL MODELS ONLY OUT PORT PYTHON QUOTING RANKS RESTARTS ROUNDS ROWS SECONDS SEEDS SHARE SPACE TAG TASKS TEXT \
	TRIALS TRIES VARIANT WORKERS
$(foreach name,$(VALUES),$(if $(filter command environment,$(firstword $(origin $(name)))),\
	$(eval override $(name) := $$(value $(name)))))
$(foreach name,$(VALUES),$(eval export GIVEN_$(name) = $$($(name))))
export BUILD_ARGS
# $(call option,--option,VARIABLE): the option with the value, if there is one
option = $(if $($(2)),$(1) "$$GIVEN_$(2)")
# $(call arguments,VARIABLE): make the words of a value, which may have quotes, the arguments of the shell
arguments = words=$$($(BIN)/python -c 'import os, shlex, sys; sys.tracebacklimit = 0; \
	print(shlex.join(shlex.split(os.environ.get(sys.argv[1], ""))))' GIVEN_$(1)) && eval "set -- $$words"
# train those of the models $$GIVEN_VARIABLE that the store lacks
train_missing = set -f; for name in $$GIVEN_$(1); do \
	test -e "$$BENTOML_HOME/models/$${name%%:*}/latest" || $(VALENCE) train "$$name" || exit; done
# the columns and the encoding of DATA, if the user names them
COLUMNS_OF_DATA = $(call option,--text,TEXT) $(call option,--label,LABEL) $(call option,--encoding,ENCODING) \
	$(call option,--quoting,QUOTING)
# the packages in .venv/tree, under the names that they are installed by
tree = mkdir -p $(VENV)/tree/valence && for path in service/python/*.py service/python/py.typed service training; do \
	ln -sfn "../../../$$path" $(VENV)/tree/valence/ || exit; done
# $(call given,VARIABLE): whether the user set VARIABLE
given = $(filter-out file undefined,$(origin $(1)))
# what to train: DATA, whose model is called after the file unless the user sets MODEL, or CONFIG
WHAT = $(if $(DATA),--data "$$GIVEN_DATA" $(COLUMNS_OF_DATA) \
	$(if $(call given,MODEL),--name "$$GIVEN_MODEL"),"$$GIVEN_CONFIG")
# RANKS processes train together. If one ends with an error, all start again from the last epoch, with a
# new rendezvous store each time: torchrun's own store would still name the addresses of the old processes.
TORCHRUN = TORCH_DISABLE_SHARE_RDZV_TCP_STORE=1 $(BIN)/torchrun --standalone --nproc-per-node "$$GIVEN_RANKS" \
	--max-restarts "$${GIVEN_RESTARTS:-3}" -m valence.training
# the models to serve are arguments of the shell, if the user names them; VALENCE_MODELS goes first
SERVED = set --$(if $(call given,MODELS),$(if $(VALENCE_MODELS),,; for name in $$GIVEN_MODELS; do \
	set -- "$$@" --model "$$name"; done))
# what an image is called, unless TAG says it
IMAGE = valence$(if $(filter training,$(VARIANT)),-training):latest

.DEFAULT_GOAL := help
# two installations at once into one environment would break it
.NOTPARALLEL:
.PHONY: help setup serve train evaluate retrain test unit lint format types bench chaos docs bento image clean
.PHONY: audit converge docs-test engines gpu-check lock manifests own-data smoke-image trial wheel wheel-arm sanitize kernel-arm

help: ## List the targets
	@awk -F ':.*## ' '/^[a-z-]+:.*## / { printf "make %-12s %s\n", $$1, $$2 } /^##@ / { print "\n" substr($$0, 5) }' \
		$(MAKEFILE_LIST)

setup: $(BASE) $(TRACKING) $(VENV)/.search $(VENV)/.checks $(VENV)/.hub $(VENV)/.mlflow $(VENV)/.store $(VENV)/.grpc $(VENV)/.feedback ## Create .venv with all that `valence` needs

serve: $(BASE) ## Train what is missing, then serve; MODELS="NAME NAME" HOST= PORT= WORKERS=auto
	@$(call train_missing,MODELS)
	@set -f; $(SERVED); exec $(VALENCE) serve --host "$$GIVEN_HOST" --port "$$GIVEN_PORT" \
		$(call option,--workers,WORKERS) "$$@"

train: $(BASE) $(TRACKING) $(HUB)
train: ## Train MODEL=topic, CONFIG=FILE or DATA=FILE TEXT=COLUMN LABEL=COLUMN; RANKS=2 ARGS="--seed 1"
	@$(call arguments,ARGS) && $(if $(RANKS),$(TORCHRUN),$(VALENCE)) train $(WHAT) "$$@"

evaluate: $(BASE) $(HUB)
evaluate: ## Evaluate MODEL on its test texts, or on DATA=; AGAINST=MODEL compares
	@$(call train_missing,MODEL)
	@$(call arguments,ARGS) && $(VALENCE) evaluate "$$GIVEN_MODEL" $(call option,--data,DATA) $(COLUMNS_OF_DATA) \
		$(call option,--against,AGAINST) "$$@"

# make ends with 2 for each code but 0
retrain: $(BASE) $(TRACKING) $(HUB) ## Train as `make train` does, and promote the new version if it is better
	@$(call arguments,ARGS) && { $(VALENCE) retrain $(WHAT) "$$@" || { code=$$?; \
		echo "valence retrain ended with $$code, and make ends with 2:" \
		"call $(VALENCE) itself where the code counts, as in cron" >&2; exit $$code; }; }

# The networks of the tests have a few units: threads would wait for each other more than they compute.
test unit: export OMP_NUM_THREADS := 1
test: lint types $(SCHEMAS)/.installed ## Run every check and test
	@$(call arguments,ARGS) && $(BIN)/python -m pytest --numprocesses auto --maxprocesses 4 "$$@"

unit: $(DEVELOPMENT) ## Run the tests that take no longer than two minutes together
	@$(call arguments,ARGS) && $(BIN)/python -m pytest --numprocesses auto --maxprocesses 4 \
		-m "not (e2e or integration or slow)" "$$@"

lint: $(DEVELOPMENT) ## Check the style
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .

format: $(DEVELOPMENT) ## Rewrite the code in the style
	$(BIN)/ruff check --fix .
	$(BIN)/ruff format .

# mypy reads the packages in .venv/tree
types: $(DEVELOPMENT) ## Check the types, strictly
	@$(tree)
	$(BIN)/mypy

bench: $(VENV)-bench/.installed $(if $(filter reload grpc,$(ONLY)),$(VENV)-mlserver/.installed) \
    $(if $(filter engines,$(ONLY)),$(VENV)-engines/.installed) $(BASE)
bench: ## Measure; ONLY=http ROUNDS=3 SECONDS=2, or ONLY=revision AGAINST=HEAD~1 (or A..B)
	@$(call train_missing,MODELS)
	$(VENV)-bench/bin/python -m tests.trials.bench $(call option,--only,ONLY) $(call option,--rounds,ROUNDS) \
		$(call option,--seconds,SECONDS) $(call option,--against,AGAINST) $(call option,--gigabytes,GIGABYTES)

chaos: $(VENV)/.chaos ## Break the service in every known way; ONLY=overload SHARE=0.1, ONLY=worst TRIES=200
	@$(call train_missing,MODELS)
	$(BIN)/python -m tests.trials.chaos $(call option,--only,ONLY) $(call option,--share,SHARE) \
		$(call option,--tries,TRIES)

engines: $(VENV)-engines/.installed ## Test Ray, Spark and MLflow for minutes; needs Java 17, and ROWS= more rows
	OMP_NUM_THREADS=1 $(if $(ROWS),VALENCE_TEST_ROWS="$$GIVEN_ROWS") \
		$(VENV)-engines/bin/python -m pytest -m slow tests/service/cluster

docs: $(VENV)-docs/.installed ## Build the documentation as a site, and check its links
	NO_MKDOCS_2_WARNING=1 $(VENV)-docs/bin/mkdocs build --strict
	@echo "open build/site/index.html"

.PHONY: examples
examples: $(BASE) ## Run the examples of recurrent networks, and draw the pictures of their page; ONLY=captions
	@set -e; for file in examples/recurrent_networks/*.py; do name=$$(basename "$$file" .py); \
		test "$${GIVEN_ONLY:-$$name}" = "$$name" || continue; ran=1; \
		echo "$$file"; $(BIN)/python "$$file"; done; \
	test -n "$$ran" || { printf '%s\n' "ONLY=$$GIVEN_ONLY: no file of examples/recurrent_networks" >&2; exit 2; }

docs-test: export OMP_NUM_THREADS := 1
docs-test: $(DEVELOPMENT) $(VENV)/.notebooks ## Run the notebooks in examples/ and every snippet of the documents
	$(BIN)/python -m pytest -m "slow or not slow" tests/docs tests/examples

bento: $(BASE) ## Package the service with the models that it would serve; with VALENCE_MODEL_SOURCE without
	@$(if $(VALENCE_MODEL_SOURCE),,$(call train_missing,MODELS))
	$(VALENCE) bento

image: bento ## Build the container image TAG; VARIANT=gpu, store, feedback or training, BUILD_ARGS="--build-arg ..."
	deploy/image/build.sh "$${GIVEN_VARIANT:-cpu}" "$${GIVEN_TAG:-$(IMAGE)}"

clean: ## Remove environments and all that was built; .valence stays
	rm -rf $(VENV) $(VENV)-audit $(VENV)-bench $(VENV)-docs $(VENV)-engines $(VENV)-lock $(VENV)-mlserver $(VENV)-policies $(VENV)-wheel build dist *.egg-info
	rm -rf .coverage .pytest_cache .mypy_cache .ruff_cache .hypothesis
	find service training tests -name __pycache__ -prune -exec rm -rf {} +
	find service -name '*.so' -exec rm -f {} +

##@ For maintainers

LOCK_BASE_WITH = $(VENV)-lock/bin/uv pip compile --quiet --no-header --no-annotate --generate-hashes \
	--python-version 3.11 --universal --constraints $(CONSTRAINTS)
LOCK_WITH = $(LOCK_BASE_WITH:--universal=--python-platform x86_64-manylinux_2_28)

# base.txt is for every platform and Python, and leaves out torch with its CUDA: the builds of torch for CPU
# and for CUDA have one version and different hashes.
lock: $(VENV)-lock/.installed ## Write requirements/locks anew, with hashes, for images and `make serve`
	$(LOCK_WITH) requirements/runtime.txt --output-file requirements/locks/cpu.txt
	$(LOCK_WITH) requirements/runtime.txt pyproject.toml --extra torch --output-file requirements/locks/gpu.txt
	$(LOCK_WITH) requirements/runtime.txt pyproject.toml --extra store --output-file requirements/locks/store.txt
	$(LOCK_WITH) requirements/runtime.txt pyproject.toml --extra feedback --output-file requirements/locks/feedback.txt
	$(LOCK_WITH) pyproject.toml --extra train --extra store --output-file requirements/locks/training.txt
	$(LOCK_WITH) --group sbom --output-file requirements/locks/sbom.txt
	$(LOCK_BASE_WITH) $$(sed -n 's/^\(torch\|triton\|cuda-[^=]*\|nvidia-[^=]*\)==.*/--no-emit-package \1/p' \
		requirements/locks/gpu.txt | grep -v nvidia-ml-py) \
		pyproject.toml --extra train --output-file requirements/locks/base.txt

# --strict, because pip-audit would pass over packages that it cannot ask about, and end with success.
# Licences that would bind what is served with such a package are refused in the image.
audit: $(BASE) $(VENV)-audit/.installed ## List licences in build/licences.md; look for vulnerabilities in the locks
	@mkdir -p build
	$(VENV)-audit/bin/pip-licenses --python $(BIN)/python --with-urls --order license --format markdown \
		--output-file build/licences.md
	$(VENV)-audit/bin/pip-licenses --python $(BIN)/python --summary --partial-match --fail-on "GPL;SSPL;UNKNOWN" \
		--packages $$(sed -n 's/^\([A-Za-z0-9._-]*\)==.*/\1/p' requirements/locks/cpu.txt)
	$(VENV)-audit/bin/pip-audit --strict --disable-pip --require-hashes \
		$(patsubst %,--requirement %,$(wildcard requirements/locks/*.txt))

manifests: $(DEVELOPMENT) $(SCHEMAS)/.installed $(VENV)-policies/.installed ## Render and check all that deploy/ holds
	$(BIN)/python -m tests.deploy
	$(BIN)/python -m pytest -q tests/deploy

smoke-image: bento $(DEVELOPMENT) ## Build the image and run it by podman, into docs/operations/image.md; ONLY=limits
	$(BIN)/python -m tests.trials.smoke $(call option,--only,ONLY)

trial: $(DEVELOPMENT) ## Test the gate with worse, equal and better challengers and kill -9, into docs/measured/gate.md
	OMP_NUM_THREADS=1 $(BIN)/python -m tests.trials.gate

own-data: $(DEVELOPMENT) ## Train with few labels of the public texts in DATA=FOLDER, into docs/measured/own-data.md
	@$(call arguments,ARGS) && OMP_NUM_THREADS=1 $(BIN)/python -m tests.trials.own_data "$$GIVEN_DATA" "$$@"

# PYTHON is one whose torch finds the GPU; nothing is installed then. The lock's own torch may be that for CPUs.
gpu-check: $(if $(call given,PYTHON),,$(BASE)) ## Measure a GPU within eight minutes, into docs/measured/gpu.md; PYTHON=python3 as it is
	@$(tree)
	PYTHONPATH="$(VENV)/tree:$$PYTHONPATH" $(if $(call given,PYTHON),"$$GIVEN_PYTHON",$(BIN)/python) -m tests.trials.gpu

converge: $(DEVELOPMENT) ## Promote and roll back on three servers, by a store on disk and by a bucket, and print the seconds
	@$(call train_missing,MODEL)
	$(BIN)/python -m tests.trials.convergence $(call option,--rounds,ROUNDS)

# The files of a wheel have times and modes, and setuptools would take what an earlier build left in build/.
# So that the same sources give the same bytes, those are fixed, and this is removed. On Linux auditwheel names
# the oldest systems that the wheel runs on, and refuses one that needs libraries which they do not have.
wheel: export SOURCE_DATE_EPOCH ?= 315532800
wheel: $(VENV)-wheel/.installed ## Build the package with its native engine into dist/
	rm -rf build/lib* build/bdist* build/temp* build/wheel
	umask 022 && $(PIP) wheel --no-deps --wheel-dir build/wheel .
	@mkdir -p dist
	$(if $(filter Linux,$(shell uname -s)),PATH="$$PWD/$(VENV)-wheel/bin:$$PATH" auditwheel repair \
		--wheel-dir dist,cp) build/wheel/*.whl $(if $(filter Linux,$(shell uname -s)),,dist)

wheel-arm: export SOURCE_DATE_EPOCH ?= 315532800
wheel-arm: $(VENV)-wheel/.installed ## Build the package for 64-bit ARM on another processor, and answer with it in qemu
	tests/trials/wheel/arm.sh $(VENV)-wheel/bin/python

sanitize: ## Run the native kernel under AddressSanitizer and UndefinedBehaviorSanitizer
	tests/service/inference/engines/kernel/paths.sh sanitize

kernel-arm: ## Run the native kernel for 64-bit ARM, emulated by qemu, against the numbers of this machine
	tests/service/inference/engines/kernel/paths.sh arm64

# Targets of older versions, and what follows the name of the command that does the same.
NOW_check = $(WHAT_HINT)
NOW_search = $(WHAT_HINT)$(call hint, --trials ,TRIALS)$(call hint, --minutes ,MINUTES)$(call \
	hint, --space ,SPACE)$(call hint, --out ,OUT)
NOW_promote = $(or $(call hint,,TAG),NAME:VERSION)
NOW_rollback = $(call hint,,MODEL)
NOW_show = $(call hint,,MODEL)
NOW_experiments = --data $(or $(call hint,,DATA),FOLDER)$(call hint, --task ,TASKS)$(call hint, --seed ,SEEDS)
NOW_faithfulness = $(call hint,,MODEL)
NOW_typos = $(call hint,,MODEL)
NOW_predict = $(call hint,,MODEL) "TEXT"
NOW_score = $(or $(call hint,,IN),IN) $(or $(call hint,,OUT),OUT) --model $(call hint,,MODEL)$(call hint, --jobs ,JOBS)
NOW_lm = $(call quote,training/char_lm/configs/$(or $(LM),news).toml)
NOW_sample = $(or $(call hint,,LM),news)
NOW_cells = $(or $(call hint,,LM),news)
WHAT_HINT = $(if $(DATA),$(call hint,--data ,DATA)$(call hint, --text ,TEXT)$(call hint, --label ,LABEL)$(call \
	hint, --encoding ,ENCODING)$(call hint, --quoting ,QUOTING)$(if $(call given,MODEL),$(call hint, --name ,MODEL)),$(call hint,,CONFIG))
# $(call hint,OPTION,VARIABLE): OPTION and the value as a shell reads it, if there is a value
hint = $(if $($(2)),$(1)$(call quote,$($(2))))
quote = $(if $(call special,$(1)),'$(subst ','\'',$(1))',$(1))
special = $(word 2,$(1))$(strip $(foreach sign,' " ` ; & | < > * ? ( ) [ ] { } ! ~ \ \# $$,$(findstring $(sign),$(1))))
OLD := check search promote rollback show experiments faithfulness typos predict score lm sample cells

.PHONY: $(OLD)
$(OLD): export HINT = $(VALENCE) $@ $(NOW_$@)$(if $(ARGS), $(ARGS))
$(OLD):
	@printf '%s\n' "make $@ is called now: $$HINT ($(VALENCE) $@ --help)" >&2; exit 2

$(BIN)/python:
	@"$$GIVEN_PYTHON" -c 'import sys; v = sys.version_info; sys.exit(0 if v >= (3, 11) else \
		f"Valence needs Python 3.11 or newer, this is {v[0]}.{v[1]}; name another with PYTHON=...")'
	"$$GIVEN_PYTHON" -m venv $(VENV)

# The pip of a new environment can be too old for dependency groups. The native engine is built in place;
# the second --quiet hides a general warning of setuptools about folders, and shows errors. The last line adds
# torch, which the lock leaves out.
$(BASE): pyproject.toml setup.py requirements/locks/base.txt $(CONSTRAINTS) \
		$(wildcard service/inference/engines/kernel/*.cpp service/inference/engines/kernel/*.h) | $(BIN)/python
	@echo "installing what serving and training need into $(VENV)"
	$(PIP) install --upgrade -c $(CONSTRAINTS) pip
	$(PIP) --quiet install --no-deps -e .
	$(PIP) install --require-hashes --no-deps --requirement requirements/locks/base.txt
	$(PIP) install -c $(CONSTRAINTS) 'valence[train]'
	@touch $@

# an extra of the package, or else a dependency group
$(VENV)/.%: pyproject.toml $(CONSTRAINTS) | $(BASE)
	@echo "installing the packages for $* into $(VENV)"
	$(PIP) install -c $(CONSTRAINTS) $(if $(filter checks feedback grpc hub mlflow ray search spark store tracking,$*),'valence[$*]',--group $*)
	@touch $@

$(DEVELOPMENT): $(TRACKING) $(VENV)/.search $(VENV)/.checks $(VENV)/.hub $(VENV)/.mlflow $(VENV)/.store \
	$(VENV)/.grpc $(VENV)/.feedback
$(VENV)/.chaos $(VENV)/.notebooks: $(DEVELOPMENT)

# what is tested on engines of data
ENGINES = 'valence[mlflow]' 'valence[ray]' 'valence[spark]' 'valence[train]'
# Packages that must not meet ours. What the benchmarks compare with serves beside what it is compared
# with, and checkov needs other versions.
$(VENV)-%/.installed: pyproject.toml $(CONSTRAINTS) | $(BIN)/python
	@echo "installing the packages for $* into $(VENV)-$*"
	"$$GIVEN_PYTHON" -m venv $(VENV)-$*
	$(VENV)-$*/bin/python -m pip $(PIP_OPTIONS) install --upgrade -c $(CONSTRAINTS) pip
	$(if $(filter bench engines mlserver,$*),$(VENV)-$*/bin/python -m pip $(PIP_OPTIONS) --quiet install --no-deps -e .)
	$(VENV)-$*/bin/python -m pip $(PIP_OPTIONS) install $(if $(filter engines mlserver policies,$*),,-c $(CONSTRAINTS)) \
		$(if $(filter bench,$*),'valence[grpc]' 'valence[train]') $(if $(filter engines,$*),$(ENGINES)) --group $*
	@touch $@

# Types of custom resources. Without npm, the tests that need them say that they are skipped.
$(SCHEMAS)/.installed: tests/deploy/package.json tests/deploy/package-lock.json | $(BIN)/python
	@mkdir -p $(SCHEMAS)
	cp tests/deploy/package.json tests/deploy/package-lock.json $(SCHEMAS)
	if command -v npm > /dev/null; then \
		npm ci --prefix $(SCHEMAS) --ignore-scripts --no-audit --no-fund --loglevel error; \
	fi
	@touch $@
