# Few recipes; CI calls only these.
PYTHON ?= python3
BIN := .venv/bin
READY := .venv/ready

.PHONY: serve demo test check fix docs lock prove-core prove-pictures prove-service prove-speed prove-page prove-deploy prove-video prove-models train clean

serve: $(READY)
	exec $(BIN)/upres serve

demo: $(READY)
	$(BIN)/python examples/demo.py

test: $(READY)
	$(BIN)/python -m pytest

check: $(READY)
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy

fix: $(READY)
	$(BIN)/ruff check --fix .
	$(BIN)/ruff format .

docs: $(READY)
	$(BIN)/python docs/command_reference.py
	$(BIN)/python docs/openapi_reference.py
	$(BIN)/python docs/service_reference.py

# Writes proofs/core/*.json; takes about half an hour, longer on a busy machine.
prove-core: $(READY)
	$(BIN)/python -m proofs.core

# Writes proofs/pictures/*.json; takes about half an hour.
prove-pictures: $(READY)
	$(BIN)/python -m proofs.pictures

# Writes proofs/service/*.json; takes about half an hour.
prove-service: $(READY)
	$(BIN)/python -m proofs.service

# Writes proofs/video/*.json; takes about half an hour.
prove-video: $(READY)
	$(BIN)/python -m proofs.video

# Writes proofs/speed/*.json; takes about half an hour, of a machine with nothing else to do.
prove-speed: $(READY)
	$(BIN)/python -m proofs.speed

# Writes proofs/page/*.json in a real browser; takes about five minutes.
prove-page: $(READY)
	$(BIN)/python -m proofs.page

# Writes proofs/models/*.json; takes about an hour, and `rebuild` trains for ten minutes of it.
prove-models: $(READY)
	$(BIN)/python -m proofs.models

# Writes proofs/deploy/*.json; takes a few minutes. Needs nginx; the image's steps need root.
prove-deploy: $(READY)
	$(BIN)/python -m proofs.deploy

# make train MODEL=fast-x3 MINUTES=10: the whole of a training in ten minutes, and the model file.
# make train MODEL=lite-x3: begins or continues the long run. DATA="DIR DIR" names other pictures.
DATA ?= ../shared/train
train: .venv/training-ready
	$(BIN)/python -m training.train --config training/configs/$(or $(MODEL),$(error give MODEL=, a name in training/configs)).toml \
	  $(foreach folder,$(DATA),--data $(folder)) $(if $(MINUTES),--minutes $(MINUTES) --fit)

# Needs uv, and writes the locks anew from pyproject.toml: of development, and of the image.
UV ?= uv
LOCK := $(UV) pip compile --universal --python-version 3.11 --generate-hashes --no-emit-index-url \
  --custom-compile-command "make lock" --quiet
lock:
	$(LOCK) pyproject.toml --extra bench --extra postgres --extra redis --extra service --extra video --group dev --output-file requirements/dev.lock
	$(LOCK) pyproject.toml --extra postgres --extra redis --extra service --constraint requirements/dev.lock --output-file requirements/service.lock
	echo hatchling | $(LOCK) - --constraint requirements/dev.lock --output-file requirements/build.lock

clean:
	rm -rf .venv demo-out dist

$(READY): requirements/dev.lock pyproject.toml
	@$(PYTHON) -c 'import sys; sys.version_info >= (3, 11) or sys.exit("upres needs Python 3.11 or newer; set PYTHON=")'
	$(PYTHON) -m venv .venv
	$(BIN)/python -m pip install --quiet --no-deps --require-hashes --requirement requirements/dev.lock
	$(BIN)/python -m pip install --quiet --no-deps --no-build-isolation --editable .
	@touch $@

.venv/training-ready: $(READY) pyproject.toml
	$(BIN)/python -m pip install --quiet --upgrade "pip>=25.1"
	$(BIN)/python -m pip install --quiet --group training
	@touch $@
