# Every target first sets up a virtual environment with the tested versions of constraints.txt.
PYTHON ?= $(shell command -v python3.11 || command -v python3)
VENV ?= .venv
BIN := $(VENV)/bin
INSTALLED := $(VENV)/installed-$(shell cat pyproject.toml constraints.txt | sha256sum | cut -c1-16)

.PHONY: demo demo-tables adult bank bst deepfm audit pages test attacks leaks chaos lint newcomer man bench bench-networks bench-codecs bench-planner bench-memory bench-checkpoints bench-alignment bench-embeddings lean quality proto reference site wheel wheel-party lock sbom containers clean

demo: $(INSTALLED)
	$(BIN)/python -m deploy.demo.demonstration

demo-tables: $(INSTALLED)
	$(BIN)/python -m deploy.demo.tables

adult bank bst deepfm: $(INSTALLED)
	$(BIN)/python -m deploy.demo.experiment $@

audit: $(INSTALLED)
	$(BIN)/python -m deploy.demo.audit movielens
	$(BIN)/python -m deploy.demo.audit adult

# Looks at every kind of report and at the site's main pages in Chromium; MODULES is a folder node_modules with axe-core.
pages: $(INSTALLED)
	$(BIN)/python -m tests.tools.pages build/pages --modules $(MODULES)

test: $(INSTALLED) lint
	$(BIN)/python -m pytest --numprocesses auto --maxprocesses 4 --max-worker-restart 0 --dist loadfile

attacks: $(INSTALLED)
	$(BIN)/python -m tests.attacks

leaks: $(INSTALLED)
	$(BIN)/python -m tests.benchmarks.leaks

chaos: $(INSTALLED)
	$(BIN)/python -m pytest -s tests/chaos/kills.py tests/chaos/disks.py

lint: $(INSTALLED)
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy party coordinator deploy

bench: $(INSTALLED)
	$(BIN)/python -m tests.benchmarks.throughput

bench-networks: $(INSTALLED)
	$(BIN)/python -m tests.benchmarks.networks

bench-codecs: $(INSTALLED)
	$(BIN)/python -m tests.benchmarks.codecs

bench-planner: $(INSTALLED)
	$(BIN)/python -m tests.benchmarks.planner

bench-memory: $(INSTALLED)
	$(BIN)/python -m tests.benchmarks.memory

bench-checkpoints: $(INSTALLED)
	$(BIN)/python -m tests.benchmarks.checkpoints

bench-alignment: $(INSTALLED)
	$(BIN)/python -m tests.benchmarks.alignment --rows 100000

bench-embeddings: $(INSTALLED)
	$(BIN)/python -m tests.benchmarks.embedding_rows

lean: $(INSTALLED)
	$(BIN)/python -m tests.benchmarks.lean

quality: $(INSTALLED)
	$(BIN)/python -m tests.benchmarks.quality

proto: $(INSTALLED)
	$(BIN)/python -m grpc_tools.protoc -I proto --python_out=. --pyi_out=. proto/party/pb/*.proto
	$(BIN)/python -m grpc_tools.protoc -I proto --grpc_python_out=. proto/party/pb/party.proto

reference: $(INSTALLED)
	$(BIN)/python -m deploy.reference reference

# The documentation as a site in site/; a broken link or anchor is an error.
site: $(INSTALLED)
	NO_MKDOCS_2_WARNING=1 $(BIN)/python -m mkdocs build --strict

# Installs the wheel with packages of the index into an empty environment: a coordinator alone, or a party.
wheel: $(INSTALLED)
	$(BIN)/python -m pytest -s -o tmp_path_retention_policy=none tests/deploy/installed_wheel.py::test_a_coordinator_alone

wheel-party: $(INSTALLED)
	$(BIN)/python -m pytest -s -o tmp_path_retention_policy=none tests/deploy/installed_wheel.py::test_a_party

# What a newcomer types, from the wheel and two files to a trained joint model.
newcomer: $(INSTALLED)
	$(BIN)/python -m pytest -s -o tmp_path_retention_policy=none tests/deploy/newcomer.py

man: $(INSTALLED)
	$(BIN)/click-man --target build/man party
	$(BIN)/click-man --target build/man coordinator

# Starts the built containers of deploy/compose.yaml from cold, five times, each party on half a core.
containers: $(INSTALLED)
	$(BIN)/python -m pytest -s tests/deploy/cold_containers.py

# Writes the lock files of the images: the versions of constraints.txt with the digests of all their wheels.
LOCKED = build/lock/bin/uv pip compile --quiet --no-header --no-annotate --no-emit-index-url --generate-hashes \
	--only-binary :all: --python-version 3.11 --python-platform x86_64-manylinux_2_36 --constraint constraints.txt

lock:
	$(PYTHON) -m venv build/lock
	build/lock/bin/python -m pip install --quiet uv==0.13.9
	$(LOCKED) --extra party --extra prometheus --output-file deploy/requirements.lock pyproject.toml
	$(LOCKED) --extra prometheus --output-file deploy/requirements-coordinator.lock pyproject.toml
	$(PYTHON) -c 'import tomllib; print(*tomllib.load(open("pyproject.toml", "rb"))["build-system"]["requires"], sep="\n")' \
		| $(LOCKED) --output-file deploy/requirements-build.lock -

# Writes a CycloneDX bill of materials for each image, from its lock file.
sbom: $(INSTALLED)
	$(BIN)/python -m deploy.sbom build/sbom

clean:
	rm -rf $(VENV) build reference site *.egg-info

$(INSTALLED): pyproject.toml constraints.txt
	test -x $(BIN)/python || $(PYTHON) -m venv $(VENV)
	$(BIN)/python -m pip install --quiet --constraint constraints.txt --editable '.[party,prometheus,tensorboard,mlflow,dev]'
	rm -f $(VENV)/installed-*
	touch $@
