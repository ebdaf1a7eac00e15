"""The demonstration in containers, from cold and five times over, each party on half a core: `make containers`.

Not part of `make test`: it needs Docker, the images of deploy/compose.yaml and the internet, and takes several minutes.
"""

import os
import shutil
import subprocess
import time

import pytest

from deploy.demo.containers import PARTIES
from tests.support.documents import ROOT

STARTS = int(os.environ.get("STARTS", "5"))
PARTY_CPUS = "0.5"
NANO_CPUS = "500000000"  # what the engine makes of it
MOST_BYTES = 400 * 10**6  # of the coordinator's image
START_SECONDS = 1800
PROJECT = "splitrain-cold"


def run(*command):
    environment = {**os.environ, "PARTY_CPUS": PARTY_CPUS, "COMPOSE_PROJECT_NAME": PROJECT}
    done = subprocess.run(
        command, cwd=ROOT, env=environment, capture_output=True, text=True, timeout=START_SECONDS, check=False
    )
    assert done.returncode == 0, done.stdout[-2000:] + done.stderr[-2000:]
    return done.stdout.strip()


def compose(*arguments):
    program = ["docker-compose"] if shutil.which("docker-compose") else ["docker", "compose"]
    return run(*program, "-f", "deploy/compose.yaml", *arguments)


@pytest.fixture
def cold():
    """No container, network or volume of an earlier start."""
    compose("down", "--volumes")
    yield
    compose("down", "--volumes")


@pytest.mark.parametrize("image", ["coordinator", "party"])
def test_images_have_their_size(image):
    size = int(run("docker", "image", "inspect", "--format", "{{.Size}}", f"splitrain-{image}"))
    print(f"\nsplitrain-{image}: {size / 10**6:,.0f} MB")
    assert image != "coordinator" or size < MOST_BYTES


@pytest.mark.timeout(START_SECONDS)
@pytest.mark.parametrize("number", range(STARTS))
def test_a_cold_start_ends_with_predictions(cold, number):
    before = time.monotonic()
    printed = compose("run", "-T", "--rm", "coordinator")
    print(f"\nstart {number + 1} of {STARTS}: {time.monotonic() - before:.0f} s")
    assert "9,800 predictions in predictions-test.csv at party bob" in printed
    for party in PARTIES:
        container = compose("ps", "--quiet", party)
        shown = run("docker", "inspect", "--format", "{{.HostConfig.NanoCpus}} {{.State.Health.Status}}", container)
        assert shown == f"{NANO_CPUS} healthy"
