# `make help` lists what a user types. Everything runs from .venv, made on first use.
SHELL := /bin/bash
PYTHON ?= $(shell command -v python3.11 || command -v python3)
VENV := .venv
BIN := $(VENV)/bin
export PATH := $(CURDIR)/$(BIN):$(PATH)
# Nothing phones home.
export DVC_NO_ANALYTICS := true
export MLFLOW_DISABLE_TELEMETRY := true
export GX_ANALYTICS_ENABLED := false
export DO_NOT_TRACK := 1

.DEFAULT_GOAL := help

.PHONY: help
help: ## List the targets
	@grep -hE '^[a-z-]+:.*## ' $(MAKEFILE_LIST) | awk -F':.*## ' '{printf "  %-14s %s\n", $$1, $$2}'

# The lock is installed by uv, which pip brings; a newer lock reinstalls.
$(VENV)/.installed: requirements.lock
	@test -x $(BIN)/python || $(PYTHON) -m venv $(VENV)
	@echo "installing the locked packages into $(VENV): several GB to download, some minutes"
	@$(BIN)/python -m pip install --quiet uv
	@$(BIN)/python -m uv pip install --compile-bytecode --python $(BIN)/python -r requirements.lock
	@touch $@

$(VENV)/.installed-dev: $(VENV)/.installed requirements-dev.lock
	@echo "installing the development tools into $(VENV)"
	@$(BIN)/python -m uv pip install --compile-bytecode --python $(BIN)/python -r requirements-dev.lock
	@touch $@

$(VENV)/.installed-airflow: $(VENV)/.installed requirements-airflow.lock
	@echo "installing Airflow into $(VENV)"
	@$(BIN)/python -m uv pip install --compile-bytecode --python $(BIN)/python -r requirements-airflow.lock
	@touch $@

.PHONY: install
install: $(VENV)/.installed ## Create .venv and install the locked requirements

.PHONY: check
check: $(VENV)/.installed ## Check all parameters, disk, sources, GPU and registry, in seconds
	@python -m components.check

.PHONY: repro
repro: $(VENV)/.installed ## Check, then run the pipeline (dvc repro); the default is the simulated rehearsal world
	@python -m components.check
	dvc repro
	@echo "report: reports/evaluate/report/index.html   decision: reports/promote/decision.txt"

.PHONY: evidence
evidence: $(VENV)/.installed ## Train the grid of methods and seeds and say what each is worth (under 90 minutes on two cores)
	python -m components.experiments
	@echo "evidence: reports/evidence/table.md"

.PHONY: stability
stability: $(VENV)/.installed ## Train equal recipes again and again and say how far they differ (STABILITY=... for options)
	python -m components.experiments.stability $(STABILITY)
	@echo "stability: reports/stability/stability.png"

.PHONY: report
report: $(VENV)/.installed ## Print the metrics and draw curves and slices in reports/plots/index.html
	dvc metrics show
	python -m components.report plots

.PHONY: mlflow
mlflow: $(VENV)/.installed ## Serve MLflow's pages: the SAR model on http://127.0.0.1:5000/#/models/stormsight-sar
	@mkdir -p var
# MLflow's own first page and its list of models open on advertisements, which no setting turns off. These pages do not, but
# for its assistant beside them.
	@echo "SAR model:     http://127.0.0.1:5000/#/models/stormsight-sar"
	@echo "optical model: http://127.0.0.1:5000/#/models/stormsight-optical"
	@echo "runs:          http://127.0.0.1:5000/#/experiments/1/runs   (they answer after a minute at most; end: Ctrl-C)"
	@mlflow server --backend-store-uri sqlite:///var/mlflow.db --host 127.0.0.1 --port 5000 --workers 1

.PHONY: land
land: $(VENV)/.installed ## Land a small simulated acquisition in var/landing (or STORMSIGHT_LANDING)
	python -m components.acquisitions land

UNSEEN := var/rehearsal-maps
.PHONY: map
map: $(VENV)/.installed ## Map a simulated acquisition that no model saw, with the champion of make repro, into maps/
	@test -e $(UNSEEN)/unseen/COMPLETE.json || STORMSIGHT_LANDING=$(UNSEEN) python -m components.acquisitions land --id unseen --tiles 48
	python -m components.predict $(UNSEEN)/unseen --fallback models/sar/concord

.PHONY: dashboard
dashboard: $(VENV)/.installed ## Serve champions, runs, data quality, scores, cost and maps on http://127.0.0.1:8050 (DASHBOARD="--export DIR" writes them)
	@exec python -m components.dashboard $(DASHBOARD)

# Airflow with these DAGs and nothing else: SQLite, stages as processes, state below var/. The triggerer does not
# look into the DAG folder by itself, hence PYTHONPATH; DAGs import components.contract as well. No login: it listens
# on this machine only.
.PHONY: airflow
airflow: export AIRFLOW_HOME := $(CURDIR)/var/airflow
airflow: export AIRFLOW__CORE__DAGS_FOLDER := $(CURDIR)/dags
airflow: export AIRFLOW__CORE__PLUGINS_FOLDER := $(CURDIR)/dags/stormsight_dags/airflow/plugins
airflow: export AIRFLOW__CORE__LOAD_EXAMPLES := False
airflow: export AIRFLOW__CORE__DAGS_ARE_PAUSED_AT_CREATION := False
airflow: export AIRFLOW__CORE__PARALLELISM := 4
airflow: export AIRFLOW__CORE__SIMPLE_AUTH_MANAGER_ALL_ADMINS := True
airflow: export AIRFLOW__API__HOST := 127.0.0.1
airflow: export PYTHONPATH := $(CURDIR)/dags:$(CURDIR)
airflow: $(VENV)/.installed-airflow ## Run Airflow with the DAGs in local mode, pages on http://127.0.0.1:8080
	@exec python -m stormsight_dags.standalone

.PHONY: test
test: $(VENV)/.installed-dev ## Run every test that needs no cluster, one end-to-end run included
	pytest -n 2 --dist loadfile --no-loadscope-reorder

.PHONY: chaos
chaos: $(VENV)/.installed-dev ## Judge hostile inputs for every reader and kills of every command (CHAOS="--minutes 40 --seed 2")
	python -m tests.campaign $(CHAOS)
	@echo "chaos: reports/chaos/chaos.txt"

# Measured on a part with Python 3.11: twice the CPU time of `make test`. From 3.12 on, the interpreter itself monitors for
# little (not measured here). Lines that run only in processes of their own (commands, torchrun) count as not reached.
.PHONY: coverage
coverage: export COVERAGE_CORE := $(shell $(BIN)/python -c "import sys; print('sysmon' if sys.version_info >= (3, 12) else 'ctrace')" 2>/dev/null)
coverage: $(VENV)/.installed-dev ## Run make test and report which lines no test reached, in reports/coverage
	pytest -n 2 --dist loadfile --no-loadscope-reorder --cov --cov-report=term:skip-covered --cov-report=html:reports/coverage

.PHONY: test-cluster
test-cluster: $(VENV)/.installed-dev ## Run the pipeline in real pods behind KUBECONFIG (skips where there is none)
	pytest tests/cluster -v -o addopts="-ra --strict-markers --strict-config"

.PHONY: images
images: ## Build the data, airflow and train images with podman (settings: k8s/images/build --help)
	k8s/images/build

.PHONY: images-smoke
images-smoke: ## Run what make images built as a pod would: read-only, without rights or network
	k8s/images/smoke/run

.PHONY: lab-image
lab-image: ## Build the light image of the cluster tests and load it into the lab cluster
	k8s/images/lab/build

.PHONY: real-sample
real-sample: $(VENV)/.installed-dev ## Run the stages on the real sample files (skips without ../shared/data)
	STORMSIGHT_REAL_SAMPLE=reports/real-sample pytest -m real_data -v
	@test ! -d reports/real-sample || echo "report: reports/real-sample/index.html"
	@test ! -f reports/real-sample-roads/sheet.png || echo "roads: reports/real-sample-roads/sheet.png"
	@test ! -d reports/real-sample-change || echo "change: reports/real-sample-change (pictures of LEVIR-CD: academic use only)"

.PHONY: lint
lint: $(VENV)/.installed-dev ## ruff and mypy --strict
	ruff check .
	ruff format --check .
	mypy

.PHONY: format
format: $(VENV)/.installed-dev ## Rewrite the code the way lint wants it
	ruff check --fix .
	ruff format .

UV_COMPILE := uv pip compile --quiet --universal --python-version 3.11 --generate-hashes --no-header --no-annotate

# One resolution holds for everything; what an image or a laptop needs is a part of it.
.PHONY: lock
lock: ## Resolve the locks anew from pyproject.toml
	$(UV_COMPILE) --extra train --group airflow --group dev pyproject.toml -o requirements-dev.lock
	$(UV_COMPILE) --extra train -c requirements-dev.lock pyproject.toml -o requirements.lock
	$(UV_COMPILE) -c requirements-dev.lock pyproject.toml -o requirements-data.lock
	$(UV_COMPILE) --group pyproject.toml:airflow -c requirements-dev.lock -o requirements-airflow.lock

.PHONY: clean
clean: ## Remove what the pipeline made (not the DVC cache, not the registry in var/)
	rm -rf data models reports maps
