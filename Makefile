# Every target does its own set-up: a virtual environment with the tested versions of constraints.txt.
PYTHON ?= $(shell command -v python3.11 || command -v python3)
VENV ?= .venv
BIN := $(VENV)/bin
INSTALLED := $(VENV)/installed-$(shell cat pyproject.toml constraints.txt | sha256sum | cut -c1-16)

.PHONY: demo adult bank bst deepfm test chaos lint bench bench-networks bench-codecs bench-planner bench-memory bench-checkpoints bench-alignment lean quality proto clean

demo: $(INSTALLED)
	$(BIN)/python -m deploy.demo.demonstration

adult bank bst deepfm: $(INSTALLED)
	$(BIN)/python -m deploy.demo.experiment $@

test: $(INSTALLED) lint
	$(BIN)/python -m pytest --numprocesses auto --maxprocesses 4 --max-worker-restart 0 --dist loadfile

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

lean: $(INSTALLED)
	$(BIN)/python -m tests.benchmarks.lean

quality: $(INSTALLED)
	$(BIN)/python -m tests.benchmarks.quality

proto: $(INSTALLED)
	$(BIN)/python -m grpc_tools.protoc -I proto --python_out=. --pyi_out=. proto/party/pb/*.proto
	$(BIN)/python -m grpc_tools.protoc -I proto --grpc_python_out=. proto/party/pb/party.proto

clean:
	rm -rf $(VENV) build *.egg-info

$(INSTALLED): pyproject.toml constraints.txt
	test -x $(BIN)/python || $(PYTHON) -m venv $(VENV)
	$(BIN)/python -m pip install --quiet --constraint constraints.txt --editable '.[dev]'
	rm -f $(VENV)/installed-*
	touch $@
