"""Checks of the source that need no run: format, the error table, the link graph, clang-tidy.

Without --all, clang-tidy looks only at files that differ from the main branch's last commit.
"""

import concurrent.futures
import glob
import json
import os
import re
import subprocess
import sys

ROOT = os.path.dirname(os.path.dirname(os.path.abspath(__file__)))
os.chdir(ROOT)
problems = []


def sources():
    return sorted(f for f in glob.glob("src/**/*", recursive=True) if f.endswith((".cc", ".h")))


def check_format():
    done = subprocess.run(["clang-format-19", "--dry-run", "-Werror", *sources()], capture_output=True, text=True, check=False)
    if done.returncode:
        named = sorted(set(re.findall(r"^(\S+?):\d+:\d+: error", done.stderr, re.M)))
        problems.append("clang-format: " + ", ".join(named))


def check_error_table():
    """Every code that the source makes is a row of the table, and every row is made somewhere."""
    table = set(re.findall(r'CCE_ERROR\("([a-z0-9_.]+)"', open("src/base/error_table.inc", encoding="utf-8").read()))
    areas = {code.split(".")[0] for code in table}
    used = set()
    for path in sources():
        text = open(path, encoding="utf-8").read()
        if path.endswith("_test.cc"):
            continue
        for code in re.findall(r'(?:MakeError|Fail)\(\s*"([^"]+)"', text):
            if code not in table:
                problems.append(f"{path}: the code {code} is not in src/base/error_table.inc")
        used |= {c for c in re.findall(r'"([a-z0-9]+\.[a-z0-9_]+)"', text) if c.split(".")[0] in areas}
    rules = open("src/attest/rules.inc", encoding="utf-8").read()
    used |= set(re.findall(r'"(evidence\.[a-z_]+)"', rules))
    for code in sorted(table - used):
        problems.append(f"src/base/error_table.inc: no source makes {code}")


def check_errors_doc():
    """docs/errors.md is what the tables make of it."""
    done = subprocess.run([sys.executable, "tests/make_errors_doc.py"], capture_output=True, text=True, check=False)
    if done.returncode:
        problems.append("tests/make_errors_doc.py: " + (done.stderr or "failed"))
    elif not os.path.exists("docs/errors.md") or open("docs/errors.md", encoding="utf-8").read() != done.stdout:
        problems.append("docs/errors.md is out of date: python tests/make_errors_doc.py > docs/errors.md")


def check_rules_are_tested():
    """Each rule of the verifier stands in docs/attestation.md with its source and with tests that there are."""
    with open("src/attest/rules.inc", encoding="utf-8") as file:
        rules = dict(re.findall(r'CCE_RULE\(\w+,\s*"([^"]+)",\s*"[^"]+",\s*"([^"]+)"', file.read()))
    rows = {}
    for line in open("docs/attestation.md", encoding="utf-8"):
        if match := re.match(r"\| `([a-z0-9_.]+)` \| .* \| (.+?) \| `[a-z_.]+` \| (.+?) \|$", line):
            rows[match.group(1)] = (match.group(2), match.group(3).split(", "))
    tests = "".join(open(path, encoding="utf-8").read() for path in glob.glob("src/attest/*_test.cc"))
    plain = {".".join(pair) for pair in re.findall(r"TEST(?:_F|_P)?\(\s*(\w+),\s*(\w+)\)", tests)}
    cases = set(re.findall(r'\{"([a-z0-9_.]+)",\s*"(\w+)",', tests))  # tables of TdxRule and SnpRule
    for rule in sorted(set(rules) ^ set(rows)):
        problems.append(f"{rule} is only in " + ("src/attest/rules.inc" if rule in rules else "docs/attestation.md"))
    for rule, (source, named) in rows.items():
        if source != rules.get(rule, source):
            problems.append(f"docs/attestation.md: {rule} has another source than in src/attest/rules.inc")
        for name in named:
            case = (rule, name.split("/")[-1])
            if name != "(group)" and name not in plain and case not in cases:
                problems.append(f"docs/attestation.md: {rule}: there is no test {name}")


def check_attest_is_pure():
    """The verifier's library opens nothing and asks nobody for the time."""
    forbidden = {"socket", "connect", "open", "open64", "openat", "fopen", "fopen64", "time", "clock_gettime", "gettimeofday", "getenv"}
    done = subprocess.run(["nm", "-u", "--no-demangle", "build/src/attest/libcce_attest.a"], capture_output=True, text=True, check=False)
    if done.returncode:
        problems.append("src/attest is not built")
    for symbol in sorted(forbidden & set(re.findall(r"\bU (\w+)", done.stdout))):
        problems.append(f"src/attest uses {symbol}(): it has no network, clock or files")


def check_link_graph():
    """A target that reaches across the graph must not build."""
    probe = "build/link_graph_probe.cc"
    for part, foreign in (("attest", "net/http_client.h"), ("crypto", "attest/verify.h"), ("cvm-launcher", "crypto/p256.h")):
        view = f"build/view/{'cce_' + part if part in ('attest', 'crypto') else part}"
        if not os.path.isdir(view):
            problems.append(f"link graph: {view} is not there")
            continue
        with open(probe, "w", encoding="utf-8") as out:
            out.write(f'#include "{foreign}"\n')
        done = subprocess.run(["clang++-19", "-std=c++20", "-fsyntax-only", "-I", view, probe], capture_output=True, check=False)
        if done.returncode == 0:
            problems.append(f"link graph: {part} can include {foreign}")
    if os.path.exists(probe):
        os.unlink(probe)


def check_routes_are_described():
    """cced's routes are those of docs/openapi.yaml, no more and no fewer."""
    routes = set()
    for path in glob.glob("src/privacy_plane/api/*_routes.cc"):
        routes |= set(re.findall(r'router\.Add\(\s*"([A-Z]+)",\s*"([^"]+)"', open(path, encoding="utf-8").read()))
    described, path = set(), None
    for line in open("docs/openapi.yaml", encoding="utf-8"):
        if match := re.match(r"  (/\S*):$", line):
            path = match.group(1)
        elif match := re.match(r"    (get|put|post|delete):$", line):
            described.add((match.group(1).upper(), path))
    for method, path in sorted(routes ^ described):
        problems.append(f"{method} {path} is only in " + ("src/privacy_plane/api" if (method, path) in routes else "docs/openapi.yaml"))


def tidy_files(everything):
    built = [f for f in sources() if f.endswith(".cc") and not f.endswith("_test.cc")]
    if everything:
        return built
    base = "HEAD~1" if not subprocess.run(["git", "diff", "--quiet", "HEAD", "--", "src"], check=False).returncode else "HEAD"
    changed = subprocess.run(["git", "diff", "--name-only", base, "--", "src"], capture_output=True, text=True, check=False).stdout.split()
    return [f for f in built if f in changed]


def commands_without_precompiled_headers():
    """The folder of a compilation database in which a file has only the headers that it includes."""
    with open("build/compile_commands.json", encoding="utf-8") as file:
        commands = json.load(file)
    for command in commands:
        command["command"] = re.sub(r" -Xclang -include(-pch)? -Xclang \S+", "", command["command"])
    os.makedirs("build/lint", exist_ok=True)
    with open("build/lint/compile_commands.json", "w", encoding="utf-8") as file:
        json.dump(commands, file)
    return "build/lint"


def check_tidy(everything):
    database = commands_without_precompiled_headers()

    def one(path):
        done = subprocess.run(["clang-tidy-19", "-p", database, "--quiet", path], capture_output=True, text=True, check=False)
        return path, done
    with concurrent.futures.ThreadPoolExecutor(os.cpu_count()) as pool:
        for path, done in pool.map(one, tidy_files(everything)):
            if done.returncode:
                problems.append(f"clang-tidy: {path}\n{done.stdout[-3000:]}")


check_format()
check_error_table()
check_errors_doc()
check_rules_are_tested()
check_attest_is_pure()
check_link_graph()
check_routes_are_described()
check_tidy("--all" in sys.argv[1:])
for problem in problems:
    print(problem)
sys.exit(1 if problems else 0)
