"""Makes docs/errors.md from the one table of error codes and the table of refusals:

    python tests/make_errors_doc.py > docs/errors.md
"""

import ast
import collections
import os
import re
import sys

ROOT = os.path.dirname(os.path.dirname(os.path.abspath(__file__)))
sys.path.insert(0, os.path.join(ROOT, "tests", "e2e"))

from refusals import ROWS  # noqa: E402

HEAD = """# Error codes

Made by `python tests/make_errors_doc.py > docs/errors.md` from `src/base/error_table.inc` and `tests/e2e/refusals.py`;
`./test lint` checks that it is up to date.

A code is stable: it is never renamed and never used for something else. Over HTTP an error is `application/problem+json`
(RFC 9457) with the code, what was expected, what was found and what to do next; `cce` prints the same. To a machine, or
whoever plays one, a refusal is the code and its meaning alone: the reason goes to the dataset's owner (`cce job explain`).
"""


def error_table():
    """Headings of the table, each with its (code, status, meaning, next)."""
    with open(os.path.join(ROOT, "src", "base", "error_table.inc"), encoding="utf-8") as table:
        text = table.read()
    areas = collections.OrderedDict()
    heading = ""
    for line in text.splitlines():
        if title := re.match(r"// -- (.*)", line):
            heading = title.group(1).split(" (")[0]
        elif row := re.match(r"CCE_ERROR(\(.*\))$", line):
            areas.setdefault(heading, []).append(ast.literal_eval(row.group(1)))
    if text.count("\nCCE_ERROR(") != sum(map(len, areas.values())):
        sys.exit("src/base/error_table.inc: a row does not stand on a line of its own")
    return areas


def cell(text):
    return text.replace("|", "\\|")


def render():
    shown = collections.defaultdict(list)
    for row in ROWS:
        if row.code:
            shown[row.code].append(f"{row.group}: {row.name}")
    out = [HEAD]
    for heading, rows in error_table().items():
        out.append(f"## {heading[0].upper()}{heading[1:]}\n\n| code | status | meaning | next |\n|---|---|---|---|")
        out += [f"| `{code}` | {status} | {cell(meaning)} | {cell(after)} |" for code, status, meaning, after in rows]
        out.append("")
    out.append("## Shown by test\n\nEvery row is provoked in a running world (`./test e2e`), together with what must not "
               "have changed\nafterwards. Rows without a code end in an outcome or wait for a person.\n\n"
               "| group | what is tried | code | the consumer learns | unchanged |\n|---|---|---|---|---|")
    for row in ROWS:
        code = f"`{row.code}`" if row.code else ""
        outcome = {"": "", "held": "rejected, after a person's decision"}.get(row.outcome, f"failed: `{row.outcome}`")
        out.append(f"| {row.group} | {cell(row.name)} | {code} | {outcome} | {cell('; '.join(row.unchanged))} |")
    return "\n".join(out) + "\n"


if __name__ == "__main__":
    sys.stdout.write(render())
