# Every command of the project; `make help` lists them. Python dependencies go to .venv, corpora,
# checkpoints and trained models to .valence; nothing is written elsewhere.

PYTHON ?= python3
HOST ?= 127.0.0.1
PORT ?= 3000
MODEL ?= sentiment
CONFIG = training/config/presets/$(MODEL).toml
# the character model that lm, sample and cells are about: training/char_lm/configs/LM.toml
LM ?= news
# the models that `make serve` makes sure to have: each is training/config/presets/NAME.toml
MODELS ?= sentiment topic

VENV := .venv
BIN := $(VENV)/bin
RUNTIME := $(VENV)/.runtime-and-training
TRACKING := $(VENV)/.tracking
SEARCH := $(VENV)/.search
# data sets of the Hub need their package
HUB = $(if $(filter hf hf:%,$(DATA)),$(VENV)/.hub)
DEVELOPMENT := $(VENV)/.development
BENCH := .venv-bench
POLICIES := .venv-policies
LOCK := .venv-lock
SCHEMAS := $(VENV)/schemas
PIP := $(BIN)/python -m pip --disable-pip-version-check --quiet

export BENTOML_HOME ?= $(CURDIR)/.valence/bentoml
export BENTOML_DO_NOT_TRACK := True
# these reach their recipes through the environment: they may hold what a shell would read
export TEXT DATA LABEL ENCODING AGAINST
# a model trained on DATA is called after the file unless MODEL was said
OWN_DATA = --data "$$DATA" $(if $(TEXT),--text "$$TEXT") $(if $(LABEL),--label "$$LABEL") \
	$(if $(ENCODING),--encoding "$$ENCODING") $(if $(filter-out file,$(origin MODEL)),--name $(MODEL))

# several processes train together; one that dies starts them all again, from the last epoch. They
# get a store of their own each time: in the launcher's they would find addresses of the dead
TRAINING = $(if $(RANKS),TORCH_DISABLE_SHARE_RDZV_TCP_STORE=1 )$(BIN)/$(if $(RANKS),torchrun --standalone --nproc-per-node $(RANKS) --max-restarts $(or $(RESTARTS),3),python) -m training

# who names models is served those
SERVED = $(if $(filter-out file,$(origin MODELS)),VALENCE_MODELS="$${VALENCE_MODELS:-$$(echo $(MODELS) | tr ' ' ,)}")

STORE := $(BENTOML_HOME)/models

.DEFAULT_GOAL := help
.PHONY: help setup serve check train search retrain promote rollback trial show evaluate experiments faithfulness typos predict score lm sample cells test lint format types bench chaos bento image smoke-image lock manifests wheel sanitize clean

help: ## List the targets
	@awk -F ':.*## ' '/^[a-z-]+:.*## / { printf "%-12s %s\n", $$1, $$2 }' $(MAKEFILE_LIST)

setup: $(RUNTIME) ## Create .venv with all that training and serving need

serve: $(RUNTIME) $(MODELS:%=$(STORE)/%/latest) ## Train what is not trained yet, then serve on HOST:PORT
	$(SERVED) $(BIN)/bentoml serve service.app:Valence --host $(HOST) --port $(PORT)

check: $(VENV)/.checks $(HUB) ## Say what is wrong with the data of MODEL, or with DATA=reviews.csv TEXT=review LABEL=stars
	$(BIN)/python -m training check $(if $(DATA),$(OWN_DATA),$(CONFIG)) $(ARGS)

train: $(RUNTIME) $(TRACKING) $(HUB) ## Train training/config/presets/MODEL.toml, CONFIG=another file, or on DATA=reviews.csv TEXT=review LABEL=stars; RANKS=2 processes; ARGS="--seed 1"
	$(TRAINING) train $(if $(DATA),$(OWN_DATA),$(CONFIG)) $(ARGS)

search: $(RUNTIME) $(SEARCH) $(HUB) ## Look for better hyperparameters of MODEL, CONFIG= or DATA=; TRIALS=20 MINUTES=30 SPACE=space.toml OUT=best.toml
	$(BIN)/python -m training search $(if $(DATA),$(OWN_DATA),$(CONFIG)) $(if $(TRIALS),--trials $(TRIALS)) \
		$(if $(MINUTES),--minutes $(MINUTES)) $(if $(SPACE),--space $(SPACE)) $(if $(OUT),--out $(OUT)) $(ARGS)

show: $(RUNTIME) $(STORE)/$(MODEL)/latest ## Tell where MODEL came from and how good it is; ARGS=--card for its model card
	$(BIN)/python -m training show $(MODEL) $(ARGS)

evaluate: $(RUNTIME) $(HUB) $(STORE)/$(MODEL)/latest ## Judge MODEL on its held-out texts, or on DATA=new.csv TEXT= LABEL=; AGAINST=another model
	$(BIN)/python -m training evaluate $(MODEL) $(if $(DATA),--data "$$DATA") $(if $(TEXT),--text "$$TEXT") \
		$(if $(LABEL),--label "$$LABEL") $(if $(ENCODING),--encoding "$$ENCODING") $(if $(AGAINST),--against $(AGAINST)) $(ARGS)

experiments: $(RUNTIME) $(TRACKING) $(HUB) ## Train public tasks that DATA holds a folder each of, or DATA=hf or torchtext, into docs/measured/experiments.md; TASKS=, SEEDS=, ARGS="--minutes 30"
	$(BIN)/python -m training experiments --data "$$DATA" $(TASKS:%=--task %) $(SEEDS:%=--seed %) $(ARGS)

retrain: $(RUNTIME) $(TRACKING) $(HUB) ## Train as `train` does, and promote the new version only if it is better: exit code 0, or 3
	$(BIN)/python -m training retrain $(if $(DATA),$(OWN_DATA),$(if $(filter-out file,$(origin CONFIG)),$(CONFIG),$(MODEL))) $(ARGS)

promote: $(RUNTIME) ## Make TAG=NAME:VERSION the champion: what is served
	$(BIN)/python -m training promote $(TAG)

rollback: $(RUNTIME) ## Make the champion of MODEL before this one the champion again
	$(BIN)/python -m training rollback $(MODEL)

trial: $(DEVELOPMENT) ## Try the gate with worse, equal and better challengers and kill -9, into docs/measured/gate.md
	OMP_NUM_THREADS=1 $(BIN)/python -m tests.gate

faithfulness: $(RUNTIME) $(STORE)/$(MODEL)/latest ## Judge the explanations of MODEL by deleting the words they name
	$(BIN)/python -m training faithfulness $(MODEL) $(ARGS)

typos: $(RUNTIME) $(STORE)/$(MODEL)/latest ## Measure what a typing error in every tenth word costs MODEL
	$(BIN)/python -m training typos $(MODEL) $(ARGS)

predict: $(RUNTIME) $(STORE)/$(MODEL)/latest ## Classify TEXT="..." with MODEL, without a server
	@printf '%s\n' "$$TEXT" | $(BIN)/python -m training predict $(MODEL)

score: $(RUNTIME) $(STORE)/$(MODEL)/latest ## Score the file IN into OUT with MODEL; ARGS="--text-column review" and so on
	$(BIN)/python -m service.score $(IN) $(OUT) --model $(MODEL) $(ARGS)

lm: $(RUNTIME) ## Train the character model training/char_lm/configs/LM.toml
	$(BIN)/python -m training lm training/char_lm/configs/$(LM).toml $(ARGS)

sample: $(RUNTIME) ## Let the character model LM write; ARGS="--temperature 0.5 --seed 1"
	@$(BIN)/python -m training sample $(LM) $(ARGS)

cells: $(RUNTIME) ## Find the units of the character model LM that one can read
	$(BIN)/python -m training cells $(LM) $(ARGS)

# networks of a few units: threads would wait for each other more than they compute
test: export OMP_NUM_THREADS := 1
test: lint types $(SCHEMAS)/.installed ## Run every check and test
	$(BIN)/python -m pytest --numprocesses auto --maxprocesses 4 $(ARGS)

lint: $(DEVELOPMENT) ## Check style and common mistakes
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .

format: $(DEVELOPMENT) ## Rewrite the code in the project's style
	$(BIN)/ruff check --fix .
	$(BIN)/ruff format .

types: $(DEVELOPMENT) ## Check the types, strictly
	$(BIN)/mypy

bench: $(BENCH)/.installed $(MODELS:%=$(STORE)/%/latest) ## Measure, into docs/measured/benchmarks/; ONLY=http and so on (ONLY=revision AGAINST=HEAD~1, or A..B; ONLY=streaming GIGABYTES=10), ROUNDS=3, SECONDS=2
	$(BENCH)/bin/python -m tests.bench $(if $(ONLY),--only $(ONLY)) $(if $(ROUNDS),--rounds $(ROUNDS)) $(if $(SECONDS),--seconds $(SECONDS)) $(if $(AGAINST),--against "$$AGAINST") $(if $(GIGABYTES),--gigabytes $(GIGABYTES))

chaos: $(VENV)/.chaos $(MODELS:%=$(STORE)/%/latest) ## Break the service in every known way, into docs/measured/faults.md; ONLY=overload and so on, SHARE=0.1
	$(BIN)/python -m tests.chaos $(if $(ONLY),--only $(ONLY)) $(if $(SHARE),--share $(SHARE))

bento: $(RUNTIME) $(MODELS:%=$(STORE)/%/latest) ## Package service and models as a bento
	$(BIN)/python -m service.bento

image: bento ## Build the image TAG by docker, podman or buildah; VARIANT=gpu or training, BUILD_ARGS="--build-arg ..."
	BUILD_ARGS="$(BUILD_ARGS)" deploy/image/build.sh $(or $(VARIANT),cpu) $(or $(TAG),valence$(if $(filter training,$(VARIANT)),-training):latest)

smoke-image: bento $(DEVELOPMENT) ## Build the image and run it for real by podman, into docs/operations/image.md; ONLY=limits and so on
	$(BIN)/python -m tests.smoke $(if $(ONLY),--only $(ONLY))

lock: $(LOCK)/.installed ## Write requirements/locks anew, with hashes, for the image
	for lock in cpu:runtime.txt gpu:runtime.txt,torch.txt training:runtime.txt,torch.txt,training.txt sbom:sbom.txt; do \
		$(LOCK)/bin/uv pip compile --quiet --no-header --no-annotate --generate-hashes \
			--python-version 3.11 --python-platform x86_64-manylinux_2_28 \
			-c requirements/constraints.txt $$(echo "$${lock#*:}" | sed 's|[^,]*|requirements/&|g; s|,| |g') \
			-o "requirements/locks/$${lock%%:*}.txt" || exit 1; \
	done

manifests: $(DEVELOPMENT) $(SCHEMAS)/.installed $(POLICIES)/.installed ## Render and judge all that deploy/ holds
	$(BIN)/python -m tests.deploy
	$(BIN)/python -m pytest -q tests/deploy

wheel: $(RUNTIME) ## Build the package with its native engine into dist/
	$(PIP) wheel --no-deps --wheel-dir dist .

sanitize: ## Run the native kernel under AddressSanitizer and UndefinedBehaviorSanitizer
	tests/service/inference/native/sanitize.sh

clean: ## Remove environments and all that was built; corpora and trained models in .valence stay
	rm -rf $(VENV) $(BENCH) $(POLICIES) $(LOCK) build dist *.egg-info .coverage .pytest_cache .mypy_cache .ruff_cache .hypothesis
	find service training tests -name __pycache__ -prune -exec rm -rf {} +
	find service -name '*.so' -exec rm -f {} +

$(STORE)/%/latest: | $(RUNTIME)
	$(BIN)/python -m training train training/config/presets/$*.toml

$(BIN)/python:
	@$(PYTHON) -c 'import sys; v = sys.version_info; sys.exit(0 if v >= (3, 11) else f"Valence needs Python 3.11 or newer, this is {v[0]}.{v[1]}; name another with PYTHON=...")'
	$(PYTHON) -m venv $(VENV)

$(RUNTIME): requirements/runtime.txt requirements/torch.txt requirements/training.txt requirements/constraints.txt pyproject.toml setup.py $(wildcard service/inference/engines/kernel/*.cpp service/inference/engines/kernel/*.h) | $(BIN)/python
	@echo "installing what training and serving need into $(VENV)"
	$(PIP) install -c requirements/constraints.txt -r requirements/runtime.txt -r requirements/torch.txt -r requirements/training.txt
	$(PIP) install --no-deps -e .
	@touch $@

# what is compared with must not come near what serves; the native engine is built in place
$(BENCH)/.installed: requirements/bench.txt requirements/constraints.txt $(RUNTIME)
	@echo "installing what the benchmarks compare with into $(BENCH)"
	$(PYTHON) -m venv $(BENCH)
	$(BENCH)/bin/python -m pip --disable-pip-version-check --quiet install -c requirements/constraints.txt -r requirements/runtime.txt -r requirements/torch.txt -r requirements/training.txt -r requirements/bench.txt
	@touch $@

$(VENV)/.checks: requirements/checks.txt requirements/constraints.txt $(RUNTIME)
	@echo "installing what judges labels and languages into $(VENV)"
	$(PIP) install -c requirements/constraints.txt -r requirements/checks.txt
	@touch $@

$(VENV)/.chaos: requirements/chaos.txt requirements/constraints.txt $(DEVELOPMENT)
	@echo "installing what breaks the service into $(VENV)"
	$(PIP) install -c requirements/constraints.txt -r requirements/chaos.txt
	@touch $@

# types of custom resources; without npm their tests say that they are skipped
$(SCHEMAS)/.installed: tests/deploy/package.json tests/deploy/package-lock.json | $(BIN)/python
	@mkdir -p $(SCHEMAS)
	cp tests/deploy/package.json tests/deploy/package-lock.json $(SCHEMAS)
	if command -v npm > /dev/null; then npm ci --prefix $(SCHEMAS) --ignore-scripts --no-audit --no-fund --loglevel error; fi
	@touch $@

$(POLICIES)/.installed: requirements/policies.txt
	@echo "installing what judges the manifests into $(POLICIES)"
	$(PYTHON) -m venv $(POLICIES)
	$(POLICIES)/bin/python -m pip --disable-pip-version-check --quiet install -r requirements/policies.txt
	@touch $@

$(TRACKING): requirements/tracking.txt requirements/constraints.txt | $(RUNTIME)
	@echo "installing what runs are tracked with into $(VENV)"
	$(PIP) install -c requirements/constraints.txt -r requirements/tracking.txt
	@touch $@

$(SEARCH): requirements/search.txt requirements/constraints.txt | $(RUNTIME)
	@echo "installing what hyperparameters are searched with into $(VENV)"
	$(PIP) install -c requirements/constraints.txt -r requirements/search.txt
	@touch $@

$(VENV)/.hub: requirements/hub.txt requirements/constraints.txt | $(RUNTIME)
	@echo "installing what fetches data sets of the Hugging Face Hub into $(VENV)"
	$(PIP) install -c requirements/constraints.txt -r requirements/hub.txt
	@touch $@

$(LOCK)/.installed: requirements/lock.txt
	@echo "installing what writes the locks into $(LOCK)"
	$(PYTHON) -m venv $(LOCK)
	$(LOCK)/bin/python -m pip --disable-pip-version-check --quiet install -r requirements/lock.txt
	@touch $@

$(DEVELOPMENT): requirements/development.txt requirements/checks.txt requirements/hub.txt requirements/constraints.txt $(RUNTIME) $(TRACKING) $(SEARCH)
	@echo "installing what the checks need into $(VENV)"
	$(PIP) install -c requirements/constraints.txt -r requirements/development.txt -r requirements/checks.txt -r requirements/hub.txt
	@touch $@
