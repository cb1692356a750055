"""The world of the end-to-end tests: deploy/world with a small dataset, small container images, and what an attacker
needs: a hand on each daemon, on the store, on the chain, and a wire without `cce`."""

import base64
import contextlib
import glob
import hashlib
import json
import os
import random
import re
import signal
import time
import urllib.request

from deploy.world.processes import Failed
from deploy.world.scenario import Eavesdropper, Scenario, flip_byte
from deploy.world.tiny_image import build_tiny_images
from deploy.world.world import CHAIN_ID, KEYS, write
from wire import Wire, claims_of, job_resource

FINAL = ("released", "rejected", "failed", "cancelled")
# A table that anybody may see: patients per arm, rounded to ten.
HONEST = ("cat /data/*/trial.csv | awk -F, 'NR > 1 { n[$3] += 1 } END { print \"arm,patients\"; "
          "for (a in n) print a \",\" int(n[a] / 10) * 10 }' > /output/arms.csv")
IMAGES = {"tiny": HONEST, "other": HONEST + " # another image"}


def make_data(folder, patients=400):
    """A trial's table of invented patients, and notes."""
    numbers = random.Random(175)
    rows = ["id,age,arm,weight,cd4,days,event"]
    for patient in range(patients):
        rows.append(f"{10000 + patient * 7},{numbers.randint(18, 80)},{numbers.randint(0, 3)},"
                    f"{numbers.uniform(45, 120):.2f},{numbers.randint(20, 1200)},{numbers.randint(30, 1230)},"
                    f"{numbers.randint(0, 1)}")
    write(os.path.join(folder, "trial.csv"), "\n".join(rows) + "\n")
    write(os.path.join(folder, "notes", "readme.txt"), "A trial of patients who do not exist.\n")
    return folder


def wait_until(condition, what, seconds=30):
    end = time.monotonic() + seconds
    while time.monotonic() < end:
        if condition():
            return
        time.sleep(0.1)
    raise Failed(f"{what}: not within {seconds} s")


def code_in(text):
    """The first error code in what a program printed."""
    found = re.search(r"^([a-z0-9]+\.[a-z0-9_]+): ", text, re.M)
    return found.group(1) if found else ""


class Stage(Scenario):
    """A scenario whose provider and consumer have done their part, ready to be attacked."""

    def __init__(self, world):
        super().__init__(world, demo=None)
        layout = world.path("images")
        build_tiny_images(layout, IMAGES)
        for tag in IMAGES:
            self.push_image(tag, layout)
        self.data = make_data(world.path("data"))
        self.provider(self.data)
        self.rent()
        self.stranger = world.person("stranger")
        self.stranger.trust()
        self.wire = Wire(world.server, CHAIN_ID)
        self.wallets = {p.name: p.cce_json("wallet", "show")["address"].lower()
                        for p in (self.owner, self.consumer, self.stranger)}

    # -- jobs

    def script(self, text):
        return ["sh", "-c", text]

    def job(self, script=None, command=None, tag="tiny", seconds=60, memory=256, image=None):
        """Submits a job of the consumer; its id."""
        path = self.job_file(tag, command=self.script(script) if script else command, image=image)
        with open(path, encoding="utf-8") as file:
            text = file.read()
        write(path, re.sub(r"memory_mib = \d+", f"memory_mib = {memory}",
                           re.sub(r"seconds = \d+", f"seconds = {seconds}", text)))
        job = self.consumer.cce_json("job", "submit", path)["job_id"]
        self.jobs.append(job)
        return job

    def ended(self, job):
        return self.follow(job, until=FINAL, seconds=60)

    def raw_spec(self, wallet="consumer", **changed):
        return self.wire.job_spec(self.wallets[wallet], self.dataset, self.snapshot, self.images["tiny"], **changed)

    def key(self, wallet):
        return KEYS[wallet]

    def sign_as(self, wallet, resource, **changed):
        return self.wire.sign_in(KEYS[wallet], resource, **changed)

    def raw_submit(self, wallet="consumer", spec=None, resource=None, **changed):
        """A job sent by hand: `changed` is what is wrong with the sign-in message."""
        spec = spec or self.raw_spec(wallet)
        return self.wire.submit(spec, self.sign_as(wallet, resource or job_resource(spec), **changed))

    def wait_for_refusal(self, job, step, count=1, seconds=30):
        end = time.monotonic() + seconds
        while time.monotonic() < end:
            refusals = [r for r in self.explain(job)["refusals"] if r["step"] == step]
            if len(refusals) >= count:
                return refusals[-1]
            time.sleep(0.1)
        raise Failed(f"job {job} was not refused at {step}: {json.dumps(self.explain(job), indent=1)}")

    def wait_for_review(self, job, seconds=30):
        end = time.monotonic() + seconds
        while time.monotonic() < end:
            explained = self.explain(job)
            if explained["waits_for_decision"]:
                return explained
            if explained["state"] in FINAL:
                break
            time.sleep(0.1)
        raise Failed(f"job {job} does not wait for a person: {json.dumps(explained, indent=1)}")

    # -- what can be counted from outside

    def metrics(self):
        url = f"http://127.0.0.1:{self.world.ports['monitor']}/metrics"
        with urllib.request.urlopen(url, timeout=20) as answer:
            text = answer.read().decode()
        return {name: int(value) for name, value in re.findall(r"^(\S+) (\d+)$", text, re.M)}

    def journal_size(self):
        return self.metrics()["cced_journal_entries"]

    def wait_until_quiet(self, pending=0, seconds=20):
        """Until at most `pending` jobs are under way and the journal has rested for three looks at it."""
        end = time.monotonic() + seconds
        size, rested = -1, 0
        while time.monotonic() < end:
            counted = self.metrics()
            busy = sum(counted.get(f'cced_jobs{{state="{s}"}}', 0) for s in ("queued", "running"))
            rested = rested + 1 if busy <= pending and counted["cced_journal_entries"] == size else 0
            if rested == 3:
                return
            size = counted["cced_journal_entries"]
            time.sleep(0.1)
        raise Failed("the journal does not come to rest")

    # -- the owner's policy

    @contextlib.contextmanager
    def policy(self, **members):
        """Another policy in force, and the usual one again."""
        self.set_policy(**members)
        try:
            yield
        finally:
            self.set_policy()

    def refused_policy(self, text, person=None):
        path = write(self.world.path("refused-policy.toml"), text)
        return code_in((person or self.owner).refused("dataset", "policy", "set", self.dataset, path))

    @contextlib.contextmanager
    def policy_text(self, text):
        path = write(self.world.path("other-policy.toml"), text)
        self.owner.cce("dataset", "policy", "set", self.dataset, path)
        try:
            yield
        finally:
            self.set_policy()

    def vendors_policy(self):
        """A policy without any development part: real hardware, whose measurement this world does not have."""
        head, rest = self.policy_toml(allow_development="false").split("[[attestation.own_roots]]")
        return head.replace("roots = []", 'roots = ["intel"]') + "[[attestation.measurements]]" + rest.split(
            "[[attestation.measurements]]")[1]

    def next_policy(self, **changed):
        """The document of a policy that would follow the one in force."""
        present = self.policy_in_force()
        policy = json.loads(present)
        policy |= {"version": policy["version"] + 1, "previous": hashlib.sha256(present).hexdigest()} | changed
        return json.dumps(policy, separators=(",", ":")).encode()

    def send_policy(self, document, signer, key=None):
        """A policy sent by hand, in somebody's name; signed with `key`, or not at all."""
        signature = bytes(65)
        if key:
            from eth_account import Account
            signature = Account.unsafe_sign_hash(hashlib.sha256(document).digest(), key).signature
        return self.wire.send("PUT", f"/v1/datasets/{self.dataset}/policy", {
            "document": base64.b64encode(document).decode(), "signer": signer, "signature": bytes(signature).hex()})

    def policy_in_force(self):
        info = self.wire.get("/v1/datasets/" + self.dataset)
        return base64.b64decode(info["policy"])

    # -- the host's hand on its own processes

    @contextlib.contextmanager
    def frozen(self, name):
        process = self.world.processes.children[name]
        process.send_signal(signal.SIGSTOP)
        try:
            yield
        finally:
            process.send_signal(signal.SIGCONT)

    @contextlib.contextmanager
    def stolen_credential(self):
        """A submitted job whose machine never comes up, and its Job Credential, which the host has read."""
        identity = self.wire.identity_hash()  # the frozen chip attests nothing, cced's evidence included
        with self.frozen("tsm-sim"):
            submitted = self.raw_submit(identity=identity)
            job = submitted["job"]
            credential = self.steal_credential(job)
            self.pending = 1
            try:
                yield job, credential
            finally:
                self.pending = 0
                self.wire.post(f"/v1/jobs/{job}/cancel", {}, submitted["token"])

    def steal_credential(self, job, seconds=20):
        """The job's credential, from the launch document that the launcher holds while it asks the chip."""
        host = Eavesdropper(self.world)
        launcher = self.world.processes.children["cvm-launcher"].pid
        end = time.monotonic() + seconds
        while time.monotonic() < end:
            host.look_at(launcher)
            if host.credential and claims_of(host.credential)["job"] == job:
                return host.credential
            time.sleep(0.005)
        raise Failed("the host did not see the launch document")

    def used_credential(self):
        """A finished job and the credential that it used, as the host saw them; made once."""
        if not hasattr(self, "used"):
            for _ in range(3):
                job = self.run_job("tiny")["job"]
                if self.credentials[job]:
                    break
            else:
                raise Failed("the host did not see the launch document")
            self.used = job, self.credentials[job]
            self.mark()
        return self.used

    def malleated(self, credential):
        """The same credential under the other of the two signatures that ECDSA makes of one: (r, n - s)."""
        order = 0xffffffff00000000ffffffffffffffffbce6faada7179e84f3b9cac2fc632551
        signed, _, signature = credential.rpartition(".")
        raw = base64.urlsafe_b64decode(signature + "=" * (-len(signature) % 4))
        other = raw[:32] + (order - int.from_bytes(raw[32:], "big")).to_bytes(32, "big")
        return signed + "." + base64.urlsafe_b64encode(other).rstrip(b"=").decode()

    def clean_up(self, job):
        """Ends a job that a test left."""
        if job and self.explain(job)["state"] not in FINAL:
            self.consumer.cce("job", "cancel", job)

    # -- the host's hand on the store

    def stored(self, kind):
        """The path of the snapshot's index, or of the object that holds its files."""
        folder = self.world.path("store", self.dataset.removeprefix("0x"))
        objects = [p for p in glob.glob(os.path.join(folder, "**", "*"), recursive=True) if os.path.isfile(p)]
        index = [p for p in objects if self.snapshot in p.replace(folder, "").replace("/", "")
                 or os.path.basename(p) == self.snapshot]
        if len(index) != 1:
            raise Failed(f"no index of {self.snapshot} among {objects}")
        if kind == "index":
            return index[0]
        # Data lie in a padded object, the largest; the leak index is another.
        return max((p for p in objects if p not in index), key=os.path.getsize)

    def index_bytes(self, _):
        with open(self.stored("index"), "rb") as index:
            return index.read()

    @contextlib.contextmanager
    def flipped(self, kind, place=0.5):
        path = self.stored(kind)
        offset = min(int(os.path.getsize(path) * place), os.path.getsize(path) - 1)
        flip_byte(path, offset)
        try:
            yield
        finally:
            flip_byte(path, offset)

    @contextlib.contextmanager
    def replaced(self, kind, content):
        """An object with other content (a function of the true one), or absent where that is None."""
        path = self.stored(kind)
        kept = path + ".kept"
        os.rename(path, kept)
        try:
            if content is not None:
                with open(kept, "rb") as true, open(path, "wb") as false:
                    false.write(content(true.read()))
            yield
        finally:
            os.replace(kept, path)

    # -- the chain

    def end_rental(self, wallet):
        """Ends a wallet's access on chain, as time would: accessExpiresAt[wallet] = 1."""
        slot = self.expiry_slot(wallet)
        before = self.world.rpc("eth_getStorageAt", self.dataset, slot, "latest")
        self.world.rpc("anvil_setStorageAt", self.dataset, slot, "0x" + "1".rjust(64, "0"))
        self.wait_final()
        return before

    def set_rental(self, wallet, value):
        self.world.rpc("anvil_setStorageAt", self.dataset, self.expiry_slot(wallet), value)
        self.wait_final()

    @contextlib.contextmanager
    def ended_rental(self, wallet):
        before = self.end_rental(wallet)
        try:
            yield
        finally:
            self.set_rental(wallet, before)

    def expiry_slot(self, wallet):
        from eth_utils import keccak
        mapping_slot = 1  # price is in slot 0; owner is immutable
        return "0x" + keccak(bytes(12) + bytes.fromhex(wallet.removeprefix("0x"))
                             + mapping_slot.to_bytes(32, "big")).hex()

    def wait_final(self):
        """Until what is on chain now is final."""
        self.world.rpc("anvil_mine", "0x4")
