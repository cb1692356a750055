"""Runs one bench and prints its rows: name, unit, ours, peer, ratio, target, met."""

import argparse
import importlib
import json
import operator
import os
import pkgutil
import sys

COMPARISONS = {"<=": operator.le, ">=": operator.ge}


def finish(row):
    """Adds ratio and met to a row that has name, unit, ours, and maybe peer, peer_name and target."""
    row.setdefault("peer", None)
    row.setdefault("peer_name", None)
    row["ratio"] = round(row["ours"] / row["peer"], 3) if row["peer"] else None
    target = row.setdefault("target", None)
    if target is None:
        row["met"] = None
    else:
        subject, comparison, number = target.split()
        row["met"] = COMPARISONS[comparison](row[subject], float(number))
    return row


def show(rows):
    print(f"{'name':<44} {'ours':>12} {'peer':>12} {'ratio':>7}  target")
    for row in rows:
        peer = f"{row['peer']:.6g} {row['peer_name']}" if row["peer"] else ""
        ratio = f"{row['ratio']:.2f}" if row["ratio"] is not None else ""
        met = {True: " met", False: " MISSED", None: ""}[row["met"]]
        print(f"{row['name']:<44} {row['ours']:>12.6g} {peer:>12} {ratio:>7}  {row['target'] or ''}{met}  [{row['unit']}]")


def main():
    here = os.path.dirname(os.path.abspath(__file__))
    names = sorted(m.name for m in pkgutil.iter_modules([here]) if m.name != "main" and not m.ispkg)
    parser = argparse.ArgumentParser(prog="bench/run", description=__doc__)
    parser.add_argument("name", nargs="?", choices=names)
    parser.add_argument("--json", metavar="FILE")
    parser.add_argument("--rounds", type=int, default=7)
    parser.add_argument("--store", choices=["juicefs"], help="what decryptfs reads from, in place of a folder")
    parser.add_argument("--list", action="store_true")
    options = parser.parse_args()
    if options.list or options.name is None:
        print("\n".join(names))
        return 0 if options.list else 2
    if options.store and options.name != "decryptfs":
        parser.error("--store is for decryptfs")
    bench = importlib.import_module(f"bench.{options.name}")
    rows = [finish(row) for row in (bench.run_over_juicefs if options.store else bench.run)(options.rounds)]
    show(rows)
    if options.json:
        with open(options.json, "w", encoding="utf-8") as out:
            json.dump(rows, out, indent=2)
    return 0 if all(row["met"] is not False for row in rows) else 1


if __name__ == "__main__":
    sys.exit(main())
