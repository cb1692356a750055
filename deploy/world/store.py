"""The distributed store of a local world: Redis for metadata, an S3 server for objects, JuiceFS between them and cced.
`deploy/install --store` installs all three."""

import os
import signal
import subprocess

from .processes import Failed, free_port

REPOSITORY = os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
JUICEFS = os.path.join(REPOSITORY, ".cache", "juicefs", "bin", "juicefs")
S3_SERVER = os.path.join(REPOSITORY, ".cache", "s3", "versitygw")
# Of these local servers alone.
ADMIN = ("admin", "admin-key-of-this-world")
WRITER = ("cced", "writer-key-of-this-world")
PASSWORD = "metadata-password-of-this-world"


def curl(keys, method, url, body=""):
    """An S3 or admin call as somebody: status and body."""
    import hashlib
    digest = hashlib.sha256(body.encode()).hexdigest()
    command = ["curl", "-sS", "--max-time", "20", "--aws-sigv4", "aws:amz:us-east-1:s3", "--user", ":".join(keys),
               "-X", method, "-H", f"x-amz-content-sha256: {digest}", "-w", "\n%{http_code}", url]
    if body:
        command += ["--data-binary", body]
    done = subprocess.run(command, capture_output=True, text=True, errors="replace", check=False)
    text, _, status = done.stdout.rpartition("\n")
    if done.returncode not in (0, 18):  # 18: a HEAD's missing body
        raise Failed(f"{method} {url}: {done.stderr}")
    return int(status), text


class Store:
    """Redis and the S3 server of one world; each can be ended and started again over the same data."""

    def __init__(self, world):
        for program in (JUICEFS, S3_SERVER):
            if not os.path.exists(program):
                raise Failed(f"{program} is missing: deploy/install --store")
        self.world = world
        self.processes = world.processes
        self.redis_port, self.s3_port = free_port(), free_port()

    @property
    def endpoint(self):
        return f"http://127.0.0.1:{self.s3_port}"

    def start(self):
        for name in ("redis", "s3", "s3-users"):
            os.makedirs(self.world.path(name), exist_ok=True)
        for name, text in (("redis.password", PASSWORD), ("s3.key", WRITER[1]), ("s3-admin.key", ADMIN[1])):
            path = self.world.path(name)
            with open(os.open(path, os.O_WRONLY | os.O_CREAT, 0o600), "w", encoding="utf-8") as out:
                out.write(text + "\n")
        self.start_redis()
        self.start_s3()
        status, text = curl(ADMIN, "PATCH", self.endpoint + "/create-user",
                            f"<Account><Access>{WRITER[0]}</Access><Secret>{WRITER[1]}</Secret>"
                            "<Role>userplus</Role></Account>")
        if status != 201:
            raise Failed(f"the S3 server made no user: {status} {text}")

    def start_redis(self):
        self.processes.start("redis", [
            "redis-server", "--port", self.redis_port, "--bind", "127.0.0.1", "--dir", self.world.path("redis"),
            "--appendonly", "yes", "--appendfsync", "always", "--save", "", "--maxmemory-policy", "noeviction",
            "--databases", 256, "--requirepass", PASSWORD])
        self.processes.wait_for_port("redis", self.redis_port)

    def start_s3(self):
        self.processes.start("s3", [
            "env", f"ROOT_ACCESS_KEY={ADMIN[0]}", f"ROOT_SECRET_KEY={ADMIN[1]}", S3_SERVER, "--quiet", "--port",
            f"127.0.0.1:{self.s3_port}", "--iam-dir", self.world.path("s3-users"), "posix", self.world.path("s3")])
        self.processes.wait_for_port("s3", self.s3_port)

    def kill(self, name):
        """kill -9 of "redis" or "s3"."""
        self.processes.stop(name, sig=signal.SIGKILL)

    def users(self):
        """The S3 server's users but the writer."""
        import re
        text = curl(ADMIN, "PATCH", self.endpoint + "/list-users")[1]
        return {name: secret for name, secret in re.findall(r"<Access>(.*?)</Access><Secret>(.*?)</Secret>", text)
                if name != WRITER[0]}

    def clients(self):
        """Process ids of the JuiceFS clients that serve cced's mounts."""
        cced = self.processes.children["cced"].pid
        done = subprocess.run(["pgrep", "-x", "-P", str(cced), "juicefs"], capture_output=True, text=True, check=False)
        return [int(pid) for pid in done.stdout.split()]

    def toml(self):
        """The [store] table of cced."""
        return f"""[store]
kind = "juicefs"
folder = "{self.world.path('store')}"
[store.juicefs]
program = "{JUICEFS}"
metadata = "redis://:@127.0.0.1:{self.redis_port}/{{number}}"
metadata_password_file = "{self.world.path('redis.password')}"
storage = "s3"
endpoint = "{self.endpoint}"
access_key = "{WRITER[0]}"
secret_key_file = "{self.world.path('s3.key')}"
call_seconds = 20
probe_seconds = 1
[store.juicefs.readers]
kind = "versitygw"
access_key = "{ADMIN[0]}"
secret_key_file = "{self.world.path('s3-admin.key')}"
"""
