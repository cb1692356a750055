"""A whole local world on one machine: chain (anvil), container registry, simulated chip (tsm-sim), cced and
cvm-launcher, each the real program. The demo and the end-to-end tests drive it through `cce` alone.

A world lives in one folder. Nothing listens beyond 127.0.0.1; every port is a free one.
"""

import contextlib
import glob
import json
import os
import shutil
import signal
import urllib.request

from .processes import Failed, Processes, free_port, interrupt_on_sigterm, run, run_json
from .store import JUICEFS, Store

REPOSITORY = os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
CHAIN_ID = 31337
# anvil's published development accounts: worthless by construction.
KEYS = {
    "owner": "ac0974bec39a17e36ba4a6b4d238ff944bacb478cbed5efcae784d7bf4f2ff80",
    "consumer": "59c6995e998f97a5a0044966f0945389dc9e86dae88c7a8412f4603b6b78690d",
    "stranger": "5de4111afa1a4b94908f83103eb1f1706367c2e68ca870fc3fb9a804cdab365a",
}
# The files that make a guest of the process provider, in the order in which the launcher hands them to the chip.
GUEST_ROLES = ("tee-agent", "decrypt-fs", "runc", "skopeo", "umoci")
STORE_ROLE = "juicefs"  # the last, where the world has a distributed store
PASSPHRASE = "a passphrase for development wallets"


def write(path, text, mode=0o644):
    os.makedirs(os.path.dirname(path), exist_ok=True)
    with open(path, "w", encoding="utf-8") as out:
        out.write(text)
    os.chmod(path, mode)
    return path


class World:
    def __init__(self, folder, build=None, settings=None):
        self.folder = os.path.abspath(folder)
        self.build = build or os.path.join(REPOSITORY, "build")
        self.settings = settings or {}
        self.processes = Processes(self.path("logs"))
        self.ports = {name: free_port() for name in ("chain", "registry", "cced", "monitor", "launcher", "collateral")}
        self.chip = None
        self.sigterm = None  # the handler before this world's
        self.tee = self.settings.get("tee", "tdx")  # of cced and of all machines
        self.store = Store(self) if self.settings.get("distributed_store") else None

    # -- places

    def path(self, *parts):
        return os.path.join(self.folder, *parts)

    def program(self, name):
        return os.path.join(self.build, "bin", name)

    def guest_file(self, role):
        if role in ("tee-agent", "decrypt-fs"):
            return self.program(role)
        if role == STORE_ROLE:
            return JUICEFS
        found = shutil.which(role, path="/usr/sbin:/usr/bin:/sbin:/bin")
        if found is None:
            raise Failed(f"{role} is not installed")
        return found

    @property
    def guest_roles(self):
        return GUEST_ROLES + (STORE_ROLE,) if self.store else GUEST_ROLES

    @property
    def server(self):
        return f"https://127.0.0.1:{self.ports['cced']}"

    @property
    def chain_url(self):
        return f"http://127.0.0.1:{self.ports['chain']}"

    @property
    def collateral_url(self):
        """The chip's collateral service, which answers like Intel's and AMD's."""
        return f"http://127.0.0.1:{self.ports['collateral']}"

    @property
    def registry(self):
        return f"127.0.0.1:{self.ports['registry']}"

    # -- start and end

    def start(self):
        os.makedirs(self.folder, exist_ok=True)
        os.chmod(self.folder, 0o711)
        self.start_chain()
        self.start_registry()
        if self.store:
            self.store.start()
        self.start_chip()
        self.configure()
        self.start_launcher()
        self.start_cced()
        return self

    def stop(self):
        self.processes.stop_all()

    def __enter__(self):
        self.sigterm = interrupt_on_sigterm()
        try:
            return self.start()
        except BaseException:
            self.__exit__()
            raise

    def __exit__(self, *_):
        self.stop()
        if self.sigterm is not None:
            signal.signal(signal.SIGTERM, self.sigterm)

    def start_chain(self):
        binary = glob.glob(os.path.join(REPOSITORY, "contracts/node_modules/@foundry-rs/anvil-*/bin/anvil"))[0]
        self.processes.start("anvil", [
            binary, "--port", self.ports["chain"], "--chain-id", CHAIN_ID, "--block-time", 1,
            "--slots-in-an-epoch", 1, "--silent"])
        self.processes.wait_for_port("anvil", self.ports["chain"])

    def rpc(self, method, *params):
        body = json.dumps({"jsonrpc": "2.0", "id": 1, "method": method, "params": params}).encode()
        request = urllib.request.Request(self.chain_url, body, {"content-type": "application/json"})
        with urllib.request.urlopen(request, timeout=20) as answer:
            reply = json.load(answer)
        if "error" in reply:
            raise Failed(f"{method}: {reply['error']}")
        return reply["result"]

    def deploy(self, contract):
        """Deploys a contract of contracts/ from one of the chain's own accounts; its address."""
        with open(os.path.join(self.build, "contracts", contract + ".json"), encoding="utf-8") as artifact:
            bytecode = json.load(artifact)["bytecode"]
        sender = self.rpc("eth_accounts")[9]
        data = bytecode if bytecode.startswith("0x") else "0x" + bytecode
        transaction = self.rpc("eth_sendTransaction", {"from": sender, "data": data})
        self.rpc("anvil_mine", "0x4")  # until it is final
        return self.rpc("eth_getTransactionReceipt", transaction)["contractAddress"]

    def start_registry(self):
        config = write(self.path("registry.yml"), f"""version: 0.1
log: {{level: warn}}
storage:
  filesystem: {{rootdirectory: {self.path('registry')}}}
  delete: {{enabled: true}}
http: {{addr: "{self.registry}"}}
""")
        self.processes.start("registry", ["docker-registry", "serve", config])
        self.processes.wait_for_port("registry", self.ports["registry"])

    def start_chip(self):
        self.chip_state = self.path("chip")
        self.root = run_json([self.program("tsm-sim"), "init", "--state", self.chip_state, "--tee", self.tee])
        self.start_chip_service()

    def start_chip_service(self, *options):
        os.makedirs(self.path("tsm"), exist_ok=True)
        self.processes.start("tsm-sim", [
            self.program("tsm-sim"), "serve", "--state", self.chip_state, "--socket", self.path("chip.sock"),
            "--run", self.path("fronts"), "--collateral-port", self.ports["collateral"], "--tee", self.tee,
            "--front", "cced", "--mount", self.path("tsm"), "--guest", "host-process",
            "--file", "cced=" + self.program("cced"), *options], stdout_pipe=True)
        self.chip = json.loads(self.processes.wait_for_line("tsm-sim"))

    def measure(self, *arguments):
        return run_json([self.program("tsm-sim"), "measure", *arguments])

    def guest_measurement(self):
        roles = []
        for role in self.guest_roles:
            roles += ["--role", f"{role}={self.guest_file(role)}"]
        return self.measure("--guest", "process", *roles)

    def cced_measurement(self):
        return self.measure("--guest", "host-process", "--role", "cced=" + self.program("cced"))

    # -- configuration

    def attestation_toml(self, table, name, measurement, registers=("mrtd", "rtmr1", "rtmr2")):
        """An attestation policy for the simulated root and one measurement, as tables below `table`."""
        if self.tee == "snp":
            registers = ("launch_digest",)
        prefix = table + "." if table else ""
        head = f"[{table}]\n" if table else ""
        lines = "".join(f'{r} = "{measurement[r]}"\n' for r in registers)
        return f"""{head}name = "{name}"
tees = ["{self.tee}"]
roots = []
[[{prefix}own_roots]]
name = "simulated"
tee = "{self.tee}"
sha256 = "{self.root['sha256_der']}"
[[{prefix}measurements]]
name = "{name}"
tee = "{self.tee}"
{lines}{self.floors(prefix)}"""

    def floors(self, prefix):
        """The firmware that an SNP chip must have at least: AMD publishes no status of versions."""
        if self.tee != "snp":
            return ""
        return f"""[[{prefix}snp.floors]]
product = "Milan"
bootloader = 9
tee = 2
snp = 23
microcode = 219
"""

    def cced_toml(self, launcher_key, anchor, extra_attestation=""):
        settings = {"tick_millis": 1000, "credential_seconds": 300, "lease_seconds": 20, "max_running": 32,
                    "max_unanchored_entries": 100000} | self.settings
        return f"""[listen]
address = "127.0.0.1"
port = {self.ports['cced']}
public_domain = "127.0.0.1:{self.ports['cced']}"
public_url = "{self.server}"
[monitor]
port = {self.ports['monitor']}
[state]
folder = "{self.path('state')}"
[root_key]
source = "file"
path = "{self.path('root.key')}"
[chain]
id = {CHAIN_ID}
endpoints = ["{self.chain_url}"]
finality = "finalized"
anchor_contract = "{anchor}"
max_unanchored_entries = {settings['max_unanchored_entries']}
{self.store_toml(settings.get('store', ''))}[datasets]
{settings.get('datasets', '')}
[launcher]
url = "https://127.0.0.1:{self.ports['launcher']}"
key = "{launcher_key}"
provider = "process"
[jobs]
credential_seconds = {settings['credential_seconds']}
lease_seconds = {settings['lease_seconds']}
max_running = {settings['max_running']}
[gate]
decoder = "{self.program('gate-decoder')}"
tick_millis = {settings['tick_millis']}
[attestation]
tsm_path = "{self.path('tsm')}"
[collateral]
pcs_url = "{self.collateral_url}"
kds_url = "{self.collateral_url}"
[attestation.policy]
name = "operator"
tees = ["{self.tee}"]
roots = []
any_measurement = true
[[attestation.policy.own_roots]]
name = "simulated"
tee = "{self.tee}"
sha256 = "{self.root['sha256_der']}"
{extra_attestation}"""

    def store_toml(self, lines):
        return self.store.toml() if self.store else f"""[store]
folder = "{self.path('store')}"
{lines}
"""

    def launcher_toml(self, cced_key):
        instance = "world" + str(self.ports["launcher"])
        objects = self.store.s3_port if self.store else self.ports["cced"]
        juicefs = f'juicefs = "{JUICEFS}"\n' if self.store else ""
        return f"""address = "127.0.0.1"
port = {self.ports['launcher']}
tls_key_file = "{self.path('launcher.key')}"
state_folder = "{self.path('machines')}"
instance = "{instance}"
clients = ["{cced_key}"]
[limits]
max_machines = 24
[relay.targets]
cced = "127.0.0.1:{self.ports['cced']}"
objects = "127.0.0.1:{objects}"
registry = "{self.registry}"
[process]
chip_socket = "{self.path('chip.sock')}"
chip_tee = "{self.tee}"
agent_log_folder = "{self.path('logs')}"
{juicefs}"""

    def configure(self):
        draft = write(self.path("cced.toml"), self.cced_toml("0" * 64, ""))
        self.keys = run_json([self.program("cced"), "--config", draft, "--show-keys"])
        self.rpc("anvil_setBalance", self.keys["chain_address"], hex(10**20))
        self.anchor = self.deploy("CheckpointAnchor")
        write(self.path("launcher.toml"), self.launcher_toml(self.keys["tls_key"]))
        self.launcher_key = run([self.program("cvm-launcher"), "--config", self.path("launcher.toml"),
                                 "--print-key"]).strip()
        write(self.path("cced.toml"), self.cced_toml(self.launcher_key, self.anchor))

    def start_launcher(self):
        self.processes.start("cvm-launcher", [
            self.program("cvm-launcher"), "--config", self.path("launcher.toml")])
        self.processes.wait_for_port("cvm-launcher", self.ports["launcher"])

    @contextlib.contextmanager
    def launcher_settings(self, process_lines):
        """The launcher restarted with other lines in its [process] table, and back again."""
        path = self.path("launcher.toml")
        with open(path, encoding="utf-8") as config:
            before = config.read()
        try:
            self.processes.stop("cvm-launcher")
            write(path, before + process_lines + "\n")
            self.start_launcher()
            yield
        finally:
            self.processes.stop("cvm-launcher")
            write(path, before)
            self.start_launcher()

    def start_cced(self):
        self.processes.start("cced", [self.program("cced"), "--config", self.path("cced.toml")])
        self.processes.wait_for_port("cced", self.ports["cced"])

    # -- people

    def person(self, name):
        return Person(self, name)


class Person:
    """Somebody with a wallet and the client's own folder; `cce` runs as him."""

    def __init__(self, world, name):
        self.world = world
        self.name = name
        self.config = world.path("people", name)
        if os.path.exists(self.path("wallet.json")):
            return
        write(self.path("passphrase"), PASSPHRASE + "\n", 0o600)
        write(self.path("config.toml"), f"""server = "{world.server}"
chain_id = {CHAIN_ID}
chain_endpoints = ["{world.chain_url}"]
finality = "finalized"
wallet = "wallet.json"
trust = "trust.toml"
allow_development = true
""")
        key = write(self.path("import.key"), KEYS[name] + "\n", 0o600)
        self.cce("wallet", "import", "--key-file", key, "--out", self.path("wallet.json"), "--light")
        os.unlink(key)

    def path(self, *parts):
        return os.path.join(self.config, *parts)

    def arguments(self, *arguments):
        return [self.world.program("cce"), "--config-dir", self.config, "--password-file", self.path("passphrase"),
                "--yes", *arguments]

    def cce(self, *arguments):
        return run(self.arguments(*arguments))

    def cce_json(self, *arguments):
        return json.loads(self.cce("--json", *arguments))

    def refused(self, *arguments):
        """Runs a command that must be refused; what it printed as an error."""
        import subprocess
        done = subprocess.run([str(a) for a in self.arguments(*arguments)], capture_output=True, text=True, check=False)
        if done.returncode == 0:
            raise Failed(f"cce {' '.join(map(str, arguments))} was accepted:\n{done.stdout}")
        return done.stderr

    def trust(self):
        policy = write(self.path("cced-policy.toml"),
                       self.world.attestation_toml("", "cced", self.world.cced_measurement(), ("mrtd",)))
        return self.cce("trust", "add", "--attestation", policy)
