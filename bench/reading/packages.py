"""Debian packages that one bench or test alone needs."""

import os
import subprocess

from deploy.world.processes import run


def install(list_file):
    """Installs what `list_file` names (one package a line) and is not there yet. Needs root."""
    with open(list_file, encoding="utf-8") as lines:
        names = lines.read().split()
    def there(name):
        done = subprocess.run(["dpkg-query", "-W", "-f=${Status}", name], capture_output=True, text=True, check=False)
        return done.stdout.startswith("install ok installed")
    lacking = [name for name in names if not there(name)]
    if lacking:
        environment = {**os.environ, "DEBIAN_FRONTEND": "noninteractive"}
        run(["apt-get", "update", "-qq"], env=environment)
        run(["apt-get", "install", "-y", "-qq", "--no-install-recommends", *lacking], env=environment)
