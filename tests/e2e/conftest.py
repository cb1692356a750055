"""One local world for the whole run (deploy/world), with a small dataset and container images of one program.

CCE_BUILD names the build whose programs are tested; else <repository>/build.
"""

import os
import shutil
import sys
import tempfile

import pytest

ROOT = os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
for folder in (ROOT, os.path.join(ROOT, "tests"), os.path.join(ROOT, "tests", "e2e")):
    if folder not in sys.path:
        sys.path.insert(0, folder)

from deploy.world.processes import free_port  # noqa: E402
from deploy.world.world import World, write  # noqa: E402
from stage import Stage  # noqa: E402
from wire_proxy import Proxy, make_certificate  # noqa: E402


def make_world(**settings):
    folder = tempfile.mkdtemp(prefix="cce4long-e2e-")
    settings = {"tick_millis": 100, "lease_seconds": 6} | settings
    return World(folder, build=os.environ.get("CCE_BUILD"), settings=settings)


def run_world(request, world):
    """Starts a world, gives its stage, ends it; its folder stays behind where a test failed."""
    try:
        with world:
            yield Stage(world)
    finally:
        if getattr(request.config, "cce_failed", False):
            print(f"\nthe world's folder was kept: {world.folder}", file=sys.stderr)
        else:
            shutil.rmtree(world.folder, ignore_errors=True)


@pytest.hookimpl(hookwrapper=True)
def pytest_runtest_makereport(item):
    outcome = yield
    if outcome.get_result().failed:
        item.session.config.cce_failed = True


@pytest.fixture(scope="session")
def stage(request):
    """The shared world. Tests leave it as they found it: policy in force, store, launcher, journal."""
    yield from run_world(request, make_world())


@pytest.fixture(scope="module")
def own_stage(request):
    """A world of one module alone, which may stop its daemons and damage their state."""
    yield from run_world(request, make_world(**getattr(request.module, "WORLD_SETTINGS", {})))


@pytest.fixture(scope="module")
def behind(own_stage):
    """The module's world with a proxy where clients look for cced."""
    stage = own_stage
    inner = free_port()
    stage.world.processes.stop("cced")
    path = stage.world.path("cced.toml")
    with open(path, encoding="utf-8") as config:
        text = config.read()
    public = stage.world.ports["cced"]
    write(path, text.replace(f"port = {public}\n", f"port = {inner}\n", 1))
    stage.inner = inner
    with Proxy(public, inner, make_certificate(stage.world.folder)) as proxy:
        stage.world.ports["cced"] = inner  # what start_cced waits for
        stage.world.start_cced()
        for person in (stage.owner, stage.consumer):
            person.trust()  # where it listens is part of what is pinned
        stage.proxy = proxy
        yield stage
