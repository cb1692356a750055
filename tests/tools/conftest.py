"""A folder of data in the formats of the field, and the same folder sealed and mounted by decrypt-fs."""

import os
import sys

import pytest

HERE = os.path.dirname(os.path.abspath(__file__))
for folder in (os.path.dirname(os.path.dirname(HERE)), HERE):
    if folder not in sys.path:
        sys.path.insert(0, folder)

from bench.reading.mounts import Sealed  # noqa: E402
from bench.reading.packages import install  # noqa: E402
from sample import make_data  # noqa: E402


@pytest.fixture(scope="session", name="plain")
def plain_folder(tmp_path_factory):
    install(os.path.join(HERE, "packages.txt"))
    folder = str(tmp_path_factory.mktemp("plain"))
    make_data(folder)
    return folder


@pytest.fixture(scope="session", name="store")
def sealed_store(plain, tmp_path_factory):
    work = tmp_path_factory.mktemp("sealed")
    return Sealed.seal("decrypt-fs", plain, str(work / "store"), str(work / "mnt"))


@pytest.fixture(scope="session", params=["demand", "prefetch"], name="mounted")
def mounted_folder(request, plain, store):
    store.options = []
    if request.param == "prefetch":
        for name in sorted(os.listdir(plain)):
            store.options += ["--prefetch", name]
    with store as mount:
        yield mount.path
