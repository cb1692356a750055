"""What runs inside a CVM, inside a real virtual machine: our channel over its one port, and the tests of DecryptFS and
its libraries against the guest's kernel."""

import json
import os
import re
import socketserver
import subprocess
import threading

import pytest

import guest

BUILD = os.environ.get("CCE_BUILD") or os.path.join(guest.ROOT, "build")
LAUNCH = b'{"launch": "a document"}'
# What depends on the kernel, of the tests of what a CVM runs.
TESTS = {"channel_test": "LaunchMessage.*:Tunnel.*", "dataset_test": "RoundTrip.*:Prefetch.*", "decrypt_fs_test": "*"}


class Echo(socketserver.BaseRequestHandler):
    def handle(self):
        while block := self.request.recv(1 << 16):
            self.request.sendall(block)


@pytest.fixture(scope="module")
def echo():
    with socketserver.ThreadingTCPServer(("127.0.0.1", 0), Echo) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        yield server.server_address[1]
        server.shutdown()


class Boot:
    """One run of the machine from start to power-off: its console, and the log of the relay at the other end."""

    def __init__(self, console, relay_log):
        self.console = console
        self.relay = [json.loads(line) for line in relay_log.splitlines() if line.startswith("{")]

    def line(self, start):
        found = [line.strip() for line in self.console if line.startswith(start)]
        assert found, f"the guest did not say '{start}':\n{''.join(self.console[-60:])}"
        return found[0][len(start):].strip()


@pytest.fixture(scope="module")
def booted(echo):
    kernel = guest.prepare()
    initrd = guest.initramfs(BUILD, os.path.join(guest.CACHE, "initrd"), "tests/vm_probe", TESTS, ["bin/decrypt-fs"])
    machine, stream = guest.boot(kernel, initrd)
    relay = None
    timer = threading.Timer(900, machine.kill)
    timer.start()
    try:
        stream.sendall(len(LAUNCH).to_bytes(4, "big") + LAUNCH)
        order = {"machine": "vm", "targets": {"echo": f"127.0.0.1:{echo}"}, "allowed": ["echo"], "user_id": 65534}
        relay = subprocess.Popen(["bash", "-c", f'exec "$0" 3<&{stream.fileno()}', os.path.join(BUILD, "bin/cvm-relay")],
                                 stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.STDOUT,
                                 pass_fds=[stream.fileno()])
        relay.stdin.write(json.dumps(order).encode())
        relay.stdin.close()
        relay.stdin = None
        stream.close()
        console = list(machine.stdout)
        assert machine.wait() == 0, "".join(console[-60:])
        relay_log, _ = relay.communicate(timeout=30)
        yield Boot(console, relay_log.decode())
    finally:
        timer.cancel()
        for process in (machine, relay):
            if process and process.poll() is None:
                process.kill()
                process.wait()


def test_the_guest_has_no_network_card(booted):
    assert booted.line("net ") == "lo"


def test_the_launch_document_is_the_first_message_on_the_port(booted):
    assert booted.line("probe launch ") == LAUNCH.decode()


def test_bytes_pass_the_port_both_ways_unchanged(booted):
    assert booted.line("probe echo ") == "equal"
    closed = [e for e in booted.relay if e.get("event") == "relay.closed" and e.get("name") == "echo"]
    assert [(e["from_guest"], e["to_guest"]) for e in closed] == [(str(8 << 20), str(8 << 20))]


def test_a_name_off_the_list_is_refused_and_logged(booted):
    assert booted.line("probe elsewhere ") == "channel.refused"
    assert [e["name"] for e in booted.relay if e.get("event") == "relay.refused"] == ["elsewhere"]


@pytest.mark.parametrize("name", TESTS)
def test_it_holds_on_the_guests_kernel(booted, name):
    text = "".join(booted.console)
    failed = re.findall(r"\[  FAILED  \] \S+\.\S+", text)
    assert booted.line(f"exit {name} ") == "0", "\n".join(failed) + text[-4000:]


def test_the_guest_ended_by_itself(booted):
    assert booted.line("done") == ""
