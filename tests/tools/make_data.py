"""Makes the sample data that other software writes: run by Debian's Python, with pandas and h5py."""

import os
import random
import sqlite3
import sys

import h5py
import numpy
import pandas


def main(folder):
    os.chdir(folder)
    source = random.Random(7)
    with open("noise", "wb") as out:
        out.write(source.randbytes((12 << 20) + 12345))
    numbers = numpy.random.default_rng(7)
    frame = pandas.DataFrame({"id": range(60000), "group": numbers.integers(0, 40, 60000), "value": numbers.normal(size=60000)})
    frame.to_csv("table.csv", index=False)
    frame.to_pickle("table.pickle")
    with h5py.File("array.h5", "w") as out:
        out.create_dataset("cube", data=numbers.normal(size=(60, 100, 100)), chunks=(5, 50, 50), compression="gzip")
        out.create_dataset("flat", data=numbers.integers(0, 1 << 30, 500_000))
    with sqlite3.connect("people.db") as db:
        db.execute("CREATE TABLE person (id INTEGER PRIMARY KEY, name TEXT, born INTEGER)")
        db.executemany("INSERT INTO person VALUES (?, ?, ?)",
                       ((i, f"name{source.randrange(10**9)}", 1900 + source.randrange(120)) for i in range(80000)))
        db.execute("CREATE INDEX person_born ON person (born)")
    for i in range(500):
        os.makedirs(f"many/{i % 17}", exist_ok=True)
        with open(f"many/{i % 17}/{i}", "wb") as out:
            out.write(source.randbytes(source.randrange(20000)))
    os.makedirs("many/hollow")
    open("many/nothing", "wb").close()
    os.symlink("../table.csv", "many/link")


main(sys.argv[1])
