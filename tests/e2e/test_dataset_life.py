"""What an owner does with a dataset that is there: list, show, compare, verify, rotate, delete; and its quotas."""

import base64
import contextlib
import json
import os
import shutil
import subprocess
import time

import pytest
from deploy.world.processes import Failed
from deploy.world.scenario import flip_byte
from deploy.world.world import KEYS, write
from stage import code_in

# So slow that 32 MiB take two seconds to be sealed anew, half as long to be read: time to interrupt it.
WORLD_SETTINGS = {"store": "dataset_quota_files = 2000\ndataset_quota_snapshots = 3",
                  "datasets": "rotate_mib_per_second = 16\nverify_mib_per_second = 32"}


JUDGED = ("released", "rejected", "failed", "cancelled", "reviewing")


class Dataset:
    """One more dataset of the stage's owner, with a folder that its tests change."""

    def __init__(self, stage, name):
        self.stage = stage
        self.owner = stage.owner
        self.folder = stage.world.path("life", name)
        os.makedirs(self.folder)
        self.id = self.owner.cce_json("dataset", "create", "--price-wei", "1000")["dataset"]
        with self.chosen():
            stage.set_policy()

    @contextlib.contextmanager
    def chosen(self):
        """The stage's helpers work on this dataset."""
        before = self.stage.dataset
        self.stage.dataset = self.id
        try:
            yield
        finally:
            self.stage.dataset = before

    def write(self, name, content):
        return write(os.path.join(self.folder, name), content)

    def upload(self):
        return self.owner.cce_json("dataset", "upload", self.id, self.folder, "--finalize")["snapshot_id"]

    def show(self):
        return self.owner.cce_json("dataset", "show", self.id, "--full")

    def snapshot(self, name):
        return next(s for s in self.show()["snapshots"] if s["id"] == name)

    def diff(self, *arguments):
        return self.owner.cce_json("dataset", "diff", self.id, *arguments)

    def refused(self, *arguments, person=None):
        return code_in((person or self.owner).refused("dataset", *arguments))

    def wait(self, what, test, seconds=60):
        end = time.monotonic() + seconds
        while time.monotonic() < end:
            held = self.show()
            if test(held):
                return held
            time.sleep(0.1)
        raise Failed(f"{what} did not come: {json.dumps(held, indent=1)}\n{self.stage.world.processes.tail('cced')}")

    def live(self):
        return [s["id"] for s in self.show()["snapshots"] if s["state"] == "live"]

    def verified(self, *arguments):
        """Exit code and answer of a verification."""
        done = subprocess.run(self.owner.arguments("--json", "dataset", "verify", self.id, *arguments),
                              capture_output=True, text=True, check=False)
        return done.returncode, json.loads(done.stdout)

    @contextlib.contextmanager
    def damaged(self, path, how):
        kept = path + ".kept"
        shutil.copy2(path, kept)
        try:
            if how == "missing":
                os.unlink(path)
            else:
                flip_byte(path, os.path.getsize(path) // 2)
            yield
        finally:
            os.replace(kept, path)

    def objects(self):
        """Every file in the dataset's store, by object name."""
        folder = self.stage.world.path("store", self.id.removeprefix("0x"))
        return {name: os.path.join(path, name) for path, _, names in os.walk(folder) for name in names}


@pytest.fixture(scope="module")
def small(own_stage):
    """A dataset of two snapshots."""
    dataset = Dataset(own_stage, "small")
    dataset.write("a/one.csv", "id,age\n1,50\n")
    dataset.write("a/two.csv", "id,age\n2,51\n")
    dataset.write("notes", "old")
    dataset.first = dataset.upload()
    dataset.write("a/three.csv", "id,age\n3,52\n")
    dataset.write("notes", "new")
    os.unlink(os.path.join(dataset.folder, "a/two.csv"))
    dataset.second = dataset.upload()
    return dataset


class TestLook:
    def test_ls_lists_the_datasets_of_an_owner(self, own_stage, small):
        listed = {d["dataset"]: d for d in own_stage.owner.cce_json("dataset", "ls")["datasets"]}
        assert listed[small.id]["snapshots"] == 2
        assert listed[small.id]["newest"]["id"] == small.second
        assert own_stage.dataset in listed
        assert own_stage.stranger.cce_json("dataset", "ls")["datasets"] == []
        theirs = own_stage.stranger.cce_json("dataset", "ls", "--owner", own_stage.wallets["owner"])
        assert {d["dataset"] for d in theirs["datasets"]} == set(listed)
        assert small.id in own_stage.owner.cce("dataset", "ls")

    def test_show_full_tells_what_cced_holds(self, small):
        held = small.show()
        assert [s["id"] for s in held["snapshots"]] == [small.first, small.second]
        assert held["policy_version"] == 1
        assert [(e["epoch"], e["destroyed"]) for e in held["epochs"]] == [(1, 0)]
        assert held["quota"]["files"] == 2000
        assert held["used"] == {"bytes": 54, "files": 6, "snapshots": 2}
        for snapshot in held["snapshots"]:
            assert snapshot["state"] == "live"
            assert snapshot["sealed_bytes"] > snapshot["counts"]["bytes"]
            assert json.loads(snapshot["receipt"])["payloadType"].endswith("upload-receipt.v1+json")
        assert small.second in small.owner.cce("dataset", "show", small.id, "--full")

    def test_show_full_is_for_the_owner_alone(self, own_stage, small):
        assert small.refused("show", small.id, "--full", person=own_stage.consumer) == "signin.not_owner"
        with small.chosen():
            own_stage.set_policy(reviewers=f'["{own_stage.wallets["stranger"]}"]')
        for command in (("show", small.id, "--full"), ("diff", small.id, small.first, small.second)):
            assert small.refused(*command, person=own_stage.stranger) == "signin.not_owner"

    def test_diff_names_what_changed(self, small):
        changes = small.diff(small.first[:10], small.second[:10])
        assert changes["complete"]
        assert [(c["change"], c["path"]) for c in changes["changes"] if c["path"] != "a"] == [
            ("added", "a/three.csv"), ("removed", "a/two.csv"), ("content", "notes")]
        assert small.diff(small.first, small.first)["changes"] == []
        text = small.owner.cce("dataset", "diff", small.id, small.first, small.second)
        assert "+ a/three.csv" in text
        assert "- a/two.csv" in text

    def test_diff_stops_where_it_is_told_to(self, small):
        changes = small.diff(small.first, small.second, "--limit", "1")
        assert len(changes["changes"]) == 1
        assert not changes["complete"]

    def test_an_unknown_snapshot_is_refused(self, small):
        assert small.refused("diff", small.id, small.first, "00" * 32) == "dataset.unknown_snapshot"
        assert small.refused("diff", small.id, small.first, "zz") == "dataset.unknown_snapshot"


class TestQuota:
    def test_too_many_files_are_refused(self, own_stage):
        dataset = Dataset(own_stage, "many")
        for i in range(2001):
            dataset.write(f"f{i}", "x")
        assert dataset.refused("upload", dataset.id, dataset.folder) == "upload.quota_files"
        assert dataset.show()["used"]["files"] == 0
        assert dataset.objects() == {}

    def test_too_many_snapshots_are_refused_before_anything_is_sent(self, own_stage):
        dataset = Dataset(own_stage, "snapshots")
        for i in range(3):
            dataset.write("f", str(i))
            dataset.upload()
        dataset.write("f", "3")
        assert dataset.refused("upload", dataset.id, dataset.folder) == "upload.quota_snapshots"
        held = dataset.show()
        assert held["drafts"] == []
        dataset.owner.cce("dataset", "delete", dataset.id, "--snapshot", held["snapshots"][0]["id"])
        dataset.upload()


class TestOrders:
    def test_an_order_serves_once_and_in_its_turn(self, own_stage, small):
        def sign(number, action="abandon", key="owner"):
            return own_stage.wire.order(KEYS[key], small.id, action, number)

        def send(body):
            return own_stage.wire.refusal("POST", f"/v1/datasets/{small.id}/orders", body)

        number = small.show()["orders"] + 1
        assert send(sign(number, key="stranger")) == "signin.not_owner"
        assert send(sign(number, key="stranger") | {"signer": own_stage.wallets["owner"]}) == "signer.mismatch"
        assert send(sign(number) | {"action": "rotate"}) == "signer.mismatch"
        assert send(sign(number + 1)) == "order.number"
        assert send(sign(number)) == ""
        assert send(sign(number)) == "order.number"
        assert send(sign(number + 1, action="verify")) == "input.malformed"
        assert send(sign(number + 1) | {"action": "burn"}) == "input.malformed"
        assert small.show()["orders"] == number

    def test_only_the_owner_gives_orders(self, own_stage, small):
        for command in ("verify", "rotate", "delete", "abandon"):
            assert small.refused(command, small.id, person=own_stage.consumer) == "signin.not_owner"


@pytest.fixture(scope="module")
def lone(own_stage):
    """A dataset of one snapshot of one object."""
    dataset = Dataset(own_stage, "lone")
    for name in ("a/one", "a/two", "three"):
        dataset.write(name, name)
    dataset.first = dataset.upload()
    dataset.wait("the leak index", lambda d: d["snapshots"][0]["leak_index"])
    return dataset


class TestVerify:
    def test_a_whole_snapshot_is_good(self, lone):
        code, found = lone.verified("--snapshot", lone.first[:8])
        assert (code, found["damaged"], found["objects_read"]) == (0, 0, 1)
        assert found["snapshot_id"] == lone.first
        assert "nothing damaged" in lone.owner.cce("dataset", "verify", lone.id)

    @pytest.mark.parametrize(("damage", "code"), [("flipped", "dataset.corrupt"), ("missing", "dataset.missing_object")])
    def test_damage_is_named_with_its_paths(self, lone, damage, code):
        data = max(lone.objects().values(), key=os.path.getsize)
        with lone.damaged(data, damage):
            exit_code, found = lone.verified()
        assert (exit_code, found["damaged"]) == (1, 1)
        assert found["damage"] == [{"object": os.path.basename(data), "code": code,
                                    "paths": ["a/one", "a/two", "three"], "path_count": 3}]
        assert lone.snapshot(lone.first)["verification"]["damage"] == found["damage"]

    def test_a_damaged_index_is_damage_of_everything(self, lone):
        with lone.damaged(lone.objects()[lone.first], "flipped"):
            exit_code, found = lone.verified()
        assert exit_code == 1
        assert [(d["object"], d["path_count"]) for d in found["damage"]] == [(lone.first, 4)]
        assert lone.verified()[0] == 0

    def test_it_goes_on_after_a_kill(self, own_stage):
        dataset = Dataset(own_stage, "verified")
        for number in range(3):
            with open(os.path.join(dataset.folder, f"blob-{number}"), "wb") as blob:
                blob.write(os.urandom(24 << 20))
        snapshot = dataset.upload()
        damaged = max(dataset.objects().values(), key=os.path.getsize)
        with dataset.damaged(damaged, "flipped"):
            dataset.owner.cce("dataset", "verify", dataset.id, "--no-wait")
            kill(own_stage, expect=lambda: dataset.snapshot(snapshot)["verification"]["finished"] == 0)
            held = dataset.wait("the end", lambda d: d["snapshots"][0]["verification"]["finished"])
        found = held["snapshots"][0]["verification"]
        assert [d["object"] for d in found["damage"]] == [os.path.basename(damaged)]
        assert found["objects_read"] == held["snapshots"][0]["objects"]
        assert dataset.verified()[0] == 0

    def test_an_unknown_snapshot_is_refused(self, lone):
        assert lone.refused("verify", lone.id, "--snapshot", "11" * 32) == "dataset.unknown_snapshot"


class TestRotate:
    def test_everything_is_sealed_anew_and_holds_the_same(self, small):
        before = small.show()
        old = set(small.objects())
        done = small.owner.cce_json("dataset", "rotate", small.id)
        assert [s["before"] for s in done["snapshots"]] == [s for s in (small.first, small.second)]
        held = small.show()
        assert [e["destroyed"] > 0 for e in held["epochs"]] == [True, False]
        assert [s["counts"] for s in held["snapshots"] if s["state"] == "live"] == \
            [s["counts"] for s in before["snapshots"]]
        small.first, small.second = small.live()
        assert held["used"] == before["used"]
        small.owner.cce("dataset", "check-receipt", done["snapshots"][1]["receipt"], small.folder)
        assert {c["path"] for c in small.diff(small.first, small.second)["changes"]} >= {"a/three.csv", "notes"}
        assert small.verified()[0] == 0
        small.wait("the collection", lambda _: not old & set(small.objects()), seconds=20)

    def test_a_job_reads_on_and_new_jobs_name_the_successor(self, own_stage, lone):
        with lone.chosen():
            own_stage.rent()
            job = own_stage.job("sleep 4; cat /data/*/three > /output/x", seconds=60)
            own_stage.follow(job, until=("running",), seconds=30)
            lone.owner.cce("dataset", "rotate", lone.id, "--no-wait")
            held = lone.wait("the successor", lambda d: len(d["snapshots"]) == 2)
            assert held["snapshots"][0]["successor"] == lone.live()[0]
            assert held["epochs"][0]["destroyed"] == 0
            waiting = lone.wait("waiting", lambda d: d.get("rotation", {}).get("state") == "waiting_for_jobs", seconds=3)
            assert waiting["rotation"]["epoch"] == 2
            path = own_stage.job_file("tiny", snapshot=lone.first)
            refused = own_stage.consumer.refused("job", "submit", path)
            assert code_in(refused) == "dataset.rotated"
            assert lone.live()[0] in refused
            assert own_stage.follow(job, until=JUDGED, seconds=60)["state"] in ("released", "reviewing")
            lone.wait("the end", lambda d: "rotation" not in d and d["epochs"][0]["destroyed"] > 0)
            job = own_stage.job("cat /data/*/three | wc -c > /output/size")
            assert own_stage.follow(job, until=JUDGED, seconds=60)["state"] in ("released", "reviewing")
            lone.first = lone.live()[0]
            assert lone.verified()[0] == 0

    def test_an_open_upload_is_in_the_way(self, small):
        small.wait("the leak indexes", lambda d: all(s["leak_index"] for s in d["snapshots"] if s["state"] == "live"))
        before = set(small.objects())
        small.write("more", "x")
        small.owner.cce("dataset", "upload", small.id, small.folder)
        sent = set(small.objects()) - before
        assert sent
        assert small.refused("rotate", small.id) == "rotate.upload_open"
        assert len(small.show()["drafts"]) == 1
        assert small.owner.cce_json("dataset", "abandon", small.id)["abandoned"] == 1
        assert small.refused("finalize", small.id) == "upload.abandoned"
        assert small.show()["drafts"] == []
        small.wait("the collection", lambda _: not sent & set(small.objects()), seconds=20)
        assert small.verified()[0] == 0

    def test_it_goes_on_after_a_kill(self, own_stage):
        dataset = Dataset(own_stage, "large")
        with open(os.path.join(dataset.folder, "blob"), "wb") as blob:
            blob.write(os.urandom(96 << 20))
        old = dataset.upload()
        dataset.owner.cce("dataset", "rotate", dataset.id, "--no-wait")
        again = own_stage.wire.order(KEYS["owner"], dataset.id, "rotate", 2)
        assert own_stage.wire.refusal("POST", f"/v1/datasets/{dataset.id}/orders", again) == "rotate.running"
        before = dataset.wait("progress", lambda d: d.get("rotation", {}).get("bytes", 0) > 0)["rotation"]
        kill(own_stage)
        held = dataset.show()
        assert held["rotation"]["bytes"] >= before["bytes"]
        dataset.wait("the end", lambda d: "rotation" not in d)
        held = dataset.show()
        assert [s["state"] for s in held["snapshots"]] == ["rotated", "live"]
        assert held["snapshots"][0]["id"] == old
        assert [e["destroyed"] > 0 for e in held["epochs"]] == [True, False]
        assert dataset.verified()[0] == 0
        live = held["snapshots"][1]
        dataset.wait("the collection", lambda d: len(dataset.objects()) == live["objects"] + 1 +
                     d["snapshots"][1]["leak_index"], seconds=30)


def kill(stage, expect=lambda: True):
    """kill -9 of cced while something holds, and its next start."""
    assert expect(), "too late for the kill"
    process = stage.world.processes.children.pop("cced")
    process.kill()
    process.wait()
    stage.world.start_cced()


def receipt_of(answer):
    with open(answer["receipt"], encoding="utf-8") as file:
        envelope = json.load(file)
    assert envelope["payloadType"] == "application/vnd.cce4long.deletion-receipt.v1+json"
    return json.loads(base64.b64decode(envelope["payload"]))


class TestDelete:
    def secrets(self, stage):
        return set(os.listdir(stage.world.path("state", "epochs")))

    def test_one_snapshot(self, small):
        others = small.owner.cce_json("dataset", "delete", small.id, "--snapshot", small.first)
        receipt = receipt_of(others)
        assert small.first in receipt["snapshots"]
        assert not receipt["whole"]
        assert receipt["epochs"] == []  # the second snapshot needs it
        assert any("rotation" in reason for reason in receipt["undone_by"])
        assert small.live() == [small.second]
        assert small.refused("verify", small.id, "--snapshot", small.first) == "dataset.deleted"
        assert small.refused("diff", small.id, small.first, small.second) == "dataset.deleted"
        assert small.verified()[0] == 0

    def test_a_dataset_its_jobs_and_its_secrets(self, own_stage, lone):
        secrets = self.secrets(own_stage)
        with lone.chosen():
            job = own_stage.job("sleep 60", seconds=90)
            own_stage.follow(job, until=("running",), seconds=30)
            receipt = receipt_of(lone.owner.cce_json("dataset", "delete", lone.id))
            status = own_stage.follow(job, seconds=10)
            assert (status["state"], status["outcome"]) == ("failed", "data_unusable")
            assert own_stage.explain(job)["refusals"][-1]["code"] == "dataset.deleted"
            path = own_stage.job_file("tiny", snapshot=lone.first)
            assert code_in(own_stage.consumer.refused("job", "submit", path)) == "dataset.deleted"
        assert receipt["whole"]
        assert receipt["epochs"] == [2]
        assert [r for r in receipt["undone_by"] if "root key: file" in r]
        assert receipt["freshness"].startswith("contract 0x")
        assert len(secrets - self.secrets(own_stage)) == 1
        assert lone.refused("upload", lone.id, lone.folder) == "dataset.deleted"
        assert lone.refused("rotate", lone.id) == "dataset.deleted"
        assert lone.show()["deleted"]
        lone.wait("the collection", lambda _: lone.objects() == {}, seconds=20)

    def test_it_is_whole_after_a_kill(self, own_stage):
        """Killed as soon as the deletion is journaled, before its receipt is read and what it frees is removed."""
        dataset = Dataset(own_stage, "killed")
        before = self.secrets(own_stage)
        for number in range(200):
            dataset.write(f"f{number}", str(number) * 1000)
        dataset.upload()
        dataset.wait("the leak index", lambda d: d["snapshots"][0]["leak_index"])
        (secret,) = self.secrets(own_stage) - before
        size = own_stage.journal_size()
        client = subprocess.Popen(dataset.owner.arguments("dataset", "delete", dataset.id), stdout=subprocess.DEVNULL,
                                  stderr=subprocess.DEVNULL)
        while own_stage.journal_size() == size and client.poll() is None:
            pass
        kill(own_stage)
        client.wait(60)
        assert secret not in self.secrets(own_stage)
        dataset.wait("the collection", lambda _: dataset.objects() == {}, seconds=20)
        assert dataset.show()["deleted"]
        assert dataset.refused("upload", dataset.id, dataset.folder) == "dataset.deleted"

    def test_a_secret_brought_back_is_destroyed_at_the_start(self, own_stage):
        """The state in which a kill between the journal's entry and the destruction leaves it."""
        dataset = Dataset(own_stage, "brought-back")
        folder = own_stage.world.path("state", "epochs")
        before = self.secrets(own_stage)
        dataset.write("f", "x")
        dataset.upload()
        (secret,) = self.secrets(own_stage) - before
        kept = shutil.copy(os.path.join(folder, secret), own_stage.world.path("kept-secret"))
        dataset.owner.cce("dataset", "delete", dataset.id)
        shutil.copy(kept, os.path.join(folder, secret))
        kill(own_stage)
        assert secret not in self.secrets(own_stage)
        dataset.wait("the collection", lambda _: dataset.objects() == {}, seconds=20)
        assert dataset.show()["deleted"]
