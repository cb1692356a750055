"""The story that the demo and the end-to-end tests tell: an owner's dataset, a consumer's job, its result."""

import contextlib
import glob
import hashlib
import itertools
import json
import os
import shutil
import threading
import time

from .processes import Failed, run
from .world import write


class Scenario:
    """One dataset of one owner and one consumer in a running world. Steps are called in the order of the story."""

    def __init__(self, world, demo, results=None):
        self.world = world
        self.demo = demo
        self.results = results or world.path("results")
        self.owner = world.person("owner")
        self.consumer = world.person("consumer")
        self.images = {}
        self.stages = []
        self.jobs = []
        self.numbers = itertools.count(1)
        self.credentials = {}  # job -> its Job Credential, as the host saw it

    def staged(self, name, action):
        started = time.monotonic()
        value = action()
        self.stages.append({"name": name, "ms": round(1000 * (time.monotonic() - started))})
        return value

    # -- what operator and consumer prepare

    def push_image(self, tag, layout=None):
        layout = layout or os.path.join(self.demo, "image")
        repository = f"demo/{tag}"
        run(["skopeo", "copy", "-q", "--insecure-policy", "--dest-tls-verify=false", f"oci:{layout}:{tag}",
             f"docker://{self.world.registry}/{repository}:1"])
        raw = run(["skopeo", "inspect", "--raw", "--tls-verify=false",
                   f"docker://{self.world.registry}/{repository}:1"])
        self.images[tag] = (repository, "sha256:" + hashlib.sha256(raw.encode()).hexdigest())

    def push_images(self):
        for tag in ("fit", "leak"):
            self.push_image(tag)

    # -- the provider

    def provider(self, data=None):
        self.owner.trust()
        self.dataset = self.owner.cce_json("dataset", "create", "--price-wei", "1000")["dataset"]
        self.set_policy()
        data = data or os.path.join(self.demo, "data")
        done = self.owner.cce_json("dataset", "upload", self.dataset, data, "--finalize",
                                   "--receipt", self.world.path("receipt.json"))
        self.snapshot = done["snapshot_id"]
        self.owner.cce("dataset", "check-receipt", self.world.path("receipt.json"), data)
        self.wait_for_index()

    def policy_toml(self, measurement=None, **members):
        settings = {"access_mode": '"prefetch"', "allow_development": "true", "images": "[]", "reviewers": "[]",
                    "release_failed_output": "false"} | members
        head = "".join(f"{key} = {value}\n" for key, value in settings.items())
        attestation = self.world.attestation_toml("attestation", "process guest",
                                                  measurement or self.world.guest_measurement())
        return f'dataset = "{self.dataset}"\nchain_id = 31337\n{head}{attestation}[gate]\nthreshold = 0.5\n'

    def set_policy(self, measurement=None, **members):
        path = write(self.world.path("policy.toml"), self.policy_toml(measurement, **members))
        return self.owner.cce("dataset", "policy", "set", self.dataset, path)

    def wait_for_index(self, seconds=30):
        end = time.monotonic() + seconds
        while time.monotonic() < end:
            info = self.owner.cce_json("dataset", "show", self.dataset)
            if all(s["leak_index"] for s in info["snapshots"]):
                return
            time.sleep(0.2)
        raise Failed("the leak index was not built")

    # -- the consumer

    def rent(self, person=None):
        person = person or self.consumer
        if not os.path.exists(person.path("trust.toml")):
            person.trust()
        self.staged("rent", lambda: person.cce("rent", self.dataset, "--hours", "24"))

    def job_file(self, tag, command=None, limits="", snapshot="latest", image=None):
        repository, digest = image or self.images[tag]
        command_line = f"command = {json.dumps(command)}\n" if command else ""
        return write(self.world.path(f"job-{tag}-{next(self.numbers)}.toml"), f"""title = "Survival by treatment arm"
{command_line}[image]
repository = "{repository}"
digest = "{digest}"
[[datasets]]
dataset = "{self.dataset}"
snapshot = "{snapshot}"
[limits]
memory_mib = 1024
cpu_millis = 2000
seconds = 120
{limits}""")

    def submit(self, tag, person=None, **options):
        job = (person or self.consumer).cce_json("job", "submit", self.job_file(tag, **options))["job_id"]
        self.jobs.append(job)
        return job

    def follow(self, job, person=None, until=("released", "rejected", "failed", "cancelled"), seconds=150):
        """Asks for the state until it is one of `until`."""
        end = time.monotonic() + seconds
        while time.monotonic() < end:
            status = (person or self.consumer).cce_json("job", "status", job)
            if status["state"] in until:
                return status
            time.sleep(0.1)
        raise Failed(f"job {job} is still {status['state']} after {seconds} s\n"
                     f"{json.dumps(self.explain(job), indent=1)}\n{self.world.processes.tail('cced')}")

    def run_job(self, tag):
        with Eavesdropper(self.world) as host:
            job = self.staged("submit", lambda: self.submit(tag))
            status = self.follow(job)
        self.credentials[job] = host.credential
        known = {stage["name"] for stage in self.stages}
        for stage in self.explain(job)["stages"]:
            if stage["name"] not in known:
                self.stages.append({"name": stage["name"], "ms": stage["millis"]})
        return status

    def fetch(self, job):
        out = os.path.join(self.results, job[:8])
        self.staged("deliver", lambda: self.consumer.cce("job", "fetch", job, "--out", out))
        result = os.path.join(out, "output.tar")
        with open(result, "rb") as tar:
            digest = hashlib.sha256(tar.read()).hexdigest()
        return {"result": result, "manifest": os.path.join(out, "manifest.json"), "digest": digest,
                "folder": os.path.join(out, "output")}

    def verify(self, result, manifest):
        return self.staged("verify", lambda: self.consumer.cce(
            "verify", result, "--manifest", manifest, "--allow-development"))

    def keep_trust(self):
        path = os.path.join(self.results, "trust.toml")
        shutil.copy(self.consumer.path("trust.toml"), path)
        return path

    # -- the owner again

    def explain(self, job):
        return self.owner.cce_json("job", "explain", self.dataset, job)

    def explain_text(self, job):
        return self.owner.cce("job", "explain", self.dataset, job)

    # -- a hostile host

    @contextlib.contextmanager
    def other_guest(self):
        """The launcher starts machines with another decrypt-fs than the measured one."""
        changed = self.world.path("decrypt-fs.changed")
        shutil.copy(self.world.program("decrypt-fs"), changed)
        with open(changed, "ab") as binary:
            binary.write(b"changed")
        with self.world.launcher_settings(f'decrypt_fs = "{changed}"'):
            yield

    @contextlib.contextmanager
    def damaged_store(self):
        """One byte of the object that holds the data is flipped."""
        objects = glob.glob(self.world.path("store", "*", "??", "*"))
        size = self.owner.cce_json("dataset", "show", self.dataset)["snapshots"][-1]["counts"]["bytes"]
        victim = min(objects, key=lambda path: abs(os.path.getsize(path) - size))
        flip_byte(victim, os.path.getsize(victim) // 2)
        try:
            yield
        finally:
            flip_byte(victim, os.path.getsize(victim) // 2)


def flip_byte(path, offset):
    mode = os.stat(path).st_mode
    os.chmod(path, 0o600)
    with open(path, "r+b") as file:
        file.seek(offset)
        byte = file.read(1)[0]
        file.seek(offset)
        file.write(bytes([byte ^ 1]))
    os.chmod(path, mode)


class Eavesdropper:
    """The host reads what passes through its own launcher: here the launch document, from memory files that its
    processes hold open while a machine is started."""

    def __init__(self, world):
        self.world = world
        self.credential = None
        self.done = threading.Event()
        self.thread = threading.Thread(target=self.listen, daemon=True)

    def __enter__(self):
        self.thread.start()
        return self

    def __exit__(self, *_):
        self.done.set()
        self.thread.join()

    def listen(self):
        while not self.done.wait(0.002) and self.credential is None:
            for name in ("cvm-launcher", "tsm-sim"):
                process = self.world.processes.children.get(name)
                if process is not None:
                    self.look_at(process.pid)

    def look_at(self, pid):
        for link in glob.glob(f"/proc/{pid}/fd/*"):
            try:
                if not os.readlink(link).startswith("/memfd:"):
                    continue
                with open(link, "rb") as file:
                    text = file.read(65536)
                if text.startswith(b'{"version":1,"suite"'):
                    self.credential = json.loads(text)["credential"]
            except (OSError, ValueError):
                continue
