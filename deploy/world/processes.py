"""Child processes of a local world: started, waited for by an event of their own, ended with the world."""

import json
import os
import re
import selectors
import signal
import socket
import subprocess
import threading
import time


class Failed(Exception):
    """A step of the world that did not work, with what was tried and what came back."""


def free_port():
    with socket.socket() as s:
        s.bind(("127.0.0.1", 0))
        return s.getsockname()[1]


def run(args, **options):
    """Runs to the end; Failed with what it printed unless it exits 0."""
    done = subprocess.run([str(a) for a in args], capture_output=True, text=True, check=False, **options)
    if done.returncode != 0:
        raise Failed(f"{' '.join(map(str, args))}\nexit {done.returncode}\n{done.stdout}{done.stderr}")
    return done.stdout


def run_json(args, **options):
    return json.loads(run(args, **options))


def interrupt_on_sigterm():
    """From now on SIGTERM interrupts this program as Ctrl-C does, so that what it started is ended before it.

    Gives the handler before, to be put back; None where this is not the main thread, which alone may have one.
    """
    if threading.current_thread() is not threading.main_thread():
        return None

    def interrupt(*_):
        signal.signal(signal.SIGTERM, signal.SIG_IGN)  # once: ending must not be interrupted
        raise KeyboardInterrupt("SIGTERM")

    return signal.signal(signal.SIGTERM, interrupt)


def peak_memory(pid):
    """The most that a process has held in memory at once, in bytes (VmHWM of proc(5))."""
    with open(f"/proc/{pid}/status", encoding="utf-8") as status:
        return int(re.search(r"VmHWM:\s+(\d+) kB", status.read()).group(1)) * 1024


def forget_peak_memory(pid):
    """`peak_memory` counts anew from what the process holds now (clear_refs of proc(5))."""
    with open(f"/proc/{pid}/clear_refs", "w", encoding="ascii") as out:
        out.write("5")


class Processes:
    """Started processes by name; each with a log file."""

    def __init__(self, log_folder):
        self.log_folder = log_folder
        self.children = {}
        os.makedirs(log_folder, exist_ok=True)

    def log_path(self, name):
        return os.path.join(self.log_folder, name + ".log")

    def start(self, name, args, stdout_pipe=False):
        with open(self.log_path(name), "ab") as log:
            process = subprocess.Popen(
                [str(a) for a in args], stdin=subprocess.DEVNULL,
                stdout=subprocess.PIPE if stdout_pipe else log, stderr=log,
                text=True if stdout_pipe else None, start_new_session=True)
        self.children[name] = process
        return process

    def wait_for_port(self, name, port, seconds=20):
        """Until something listens on 127.0.0.1:port; Failed when the process ends before."""
        process, end = self.children[name], time.monotonic() + seconds
        while time.monotonic() < end:
            if process.poll() is not None:
                raise Failed(f"{name} ended with {process.returncode} before it served\n{self.tail(name)}")
            with socket.socket() as s:
                s.settimeout(1)
                if s.connect_ex(("127.0.0.1", port)) == 0:
                    return
            time.sleep(0.02)
        raise Failed(f"{name} does not listen on port {port} after {seconds} s\n{self.tail(name)}")

    def wait_for_line(self, name, seconds=20):
        """The first line that a process prints on its standard output."""
        process = self.children[name]
        with selectors.DefaultSelector() as selector:
            selector.register(process.stdout, selectors.EVENT_READ)
            if not selector.select(seconds):
                raise Failed(f"{name} said nothing within {seconds} s\n{self.tail(name)}")
        line = process.stdout.readline()
        if not line:
            raise Failed(f"{name} ended with {process.wait()} before it was ready\n{self.tail(name)}")
        return line

    def stop(self, name, sig=signal.SIGTERM, seconds=15):
        process = self.children.pop(name, None)
        if process is None or process.poll() is not None:
            return
        process.send_signal(sig)
        try:
            process.wait(seconds)
        except subprocess.TimeoutExpired:
            os.killpg(process.pid, signal.SIGKILL)
            process.wait()

    def stop_all(self):
        for name in reversed(list(self.children)):
            self.stop(name)

    def tail(self, name, lines=15):
        try:
            with open(self.log_path(name), encoding="utf-8", errors="replace") as log:
                return "".join(log.readlines()[-lines:])
        except OSError:
            return ""
