"""Writes docs/formats/vectors/dataset: stores of a sealed dataset, and upload parts, each with the outcome that a
reader must give. None of the product's code is used: the formats are built here from docs/formats/dataset.md.

A file is named after its outcome and what was done. Its lines are `name = hex`:

    of a store   dek, dataset, epoch, snapshot, one `object <name>` each, and `content` of the file a/f
    of a part    draft, part, wire
"""

import hashlib
import hmac
import os
import shutil
import struct

from Crypto.Cipher import AES

FOLDER = os.path.join(os.path.dirname(os.path.dirname(os.path.abspath(__file__))), "docs", "formats", "vectors", "dataset")
DEK, DATASET, EPOCH = bytes(range(32)), b"\xda" * 20, 7
DRAFT = b"\xd7" * 16
CONTENT = bytes(7 * i % 251 for i in range(1100))  # two chunks
CHUNK = 1024


def sha256(data):
    return hashlib.sha256(data).digest()


def frame(label, *fields):
    return b"".join(struct.pack(">I", len(field)) + field for field in (label.encode(), *fields))


def hkdf(key, salt, info, size):
    secret, out, block = hmac.digest(salt, key, "sha256"), b"", b""
    for i in range(1, size // 32 + 2):
        block = hmac.digest(secret, block + info + bytes([i]), "sha256")
        out += block
    return out[:size]


def tree(hashes):
    if len(hashes) < 2:
        return hashes[0] if hashes else sha256(b"")
    left = 1
    while left * 2 < len(hashes):
        left *= 2
    return sha256(b"\1" + tree(hashes[:left]) + tree(hashes[left:]))


def tree_digest(data):
    leaves = [sha256(data[at:at + 16384]) for at in range(0, len(data), 16384)]
    return sha256(frame("cce4long/v1/tree-digest", struct.pack(">Q", len(data)), tree(leaves)))


def seal(label, plain, salt, dek=DEK, dataset=DATASET, epoch=EPOCH):
    keys = hkdf(dek, salt, frame(label, dataset, struct.pack(">I", epoch)), 48)
    header = b"CCES\1\1\x0a\0" + salt + keys[32:]
    chunks = [plain[at:at + CHUNK] for at in range(0, len(plain), CHUNK)] or [b""]
    out = header
    for i, chunk in enumerate(chunks):
        nonce = bytes(7) + struct.pack(">IB", i, i + 1 == len(chunks))
        cipher = AES.new(keys[:32], AES.MODE_GCM, nonce=nonce)
        cipher.update(header)
        out += b"".join(cipher.encrypt_and_digest(chunk))
    return out


def entry(kind, depth, name, size=None, digest=b"", extents=(), target=None, mode=0o644):
    out = struct.pack(">BHHqB", kind, mode, depth, 5, len(name)) + name
    if kind == 1:
        out += struct.pack(">Q", size) + digest + struct.pack(">I", len(extents))
        out += b"".join(struct.pack(">III", *extent) for extent in extents)
    if kind == 3:
        out += struct.pack(">H", len(target)) + tree_digest(target) + target
    return out


def folder(depth, name):
    return entry(2, depth, name, mode=0o755)


def index(entries, objects, counts, magic=b"CCEX", version=b"\1\0\0\0", dataset=DATASET, end=b"CCEXEND\n", number=None):
    rows = b"".join(tree_digest(sealed) + sealed[:48] + struct.pack(">QI", len(sealed), EPOCH) for sealed in objects)
    return (magic + version + dataset + b"".join(entries) + rows
            + struct.pack(">QQ", len(entries) if number is None else number, len(objects))
            + struct.pack(">QQQQ", *counts) + end)


OBJECT = seal("cce4long/v1/object", CONTENT, b"\xa1" * 24)
FILE = {"size": len(CONTENT), "digest": tree_digest(CONTENT), "extents": [(0, 0, len(CONTENT))]}
ENTRIES = [folder(0, b"a"), entry(1, 1, b"f", **FILE)]
COUNTS = (1, 1, 0, len(CONTENT))


def sealed_index(entries=None, objects=None, counts=COUNTS, salt=b"\xa2" * 24, sealing=None, **changed):
    plain = index(entries or ENTRIES, [OBJECT] if objects is None else objects, counts, **changed)
    return seal("cce4long/v1/index", plain, salt, **(sealing or {}))


INDEX = sealed_index()


def write(outcome, what, lines):
    with open(os.path.join(FOLDER, f"{outcome}-{what}"), "w", encoding="ascii") as out:
        out.write("".join(f"{name} = {value.hex()}\n" for name, value in lines))


def store(outcome, what, index_bytes=INDEX, object_bytes=OBJECT, snapshot=None, dek=DEK, epoch=EPOCH, content=CONTENT):
    """What lies under the snapshot's name and under the object's; None: nothing."""
    lines = [("dek", dek), ("dataset", DATASET), ("epoch", struct.pack(">I", epoch)), ("content", content)]
    name = snapshot or tree_digest(index_bytes)
    lines.append(("snapshot", name))
    for place, data in ((name, index_bytes), (tree_digest(OBJECT), object_bytes)):
        if data is not None:
            lines.append((f"object {place.hex()}", data))
    write(outcome, what, lines)


def flipped(data, at):
    at %= len(data)
    return data[:at] + bytes([data[at] ^ 1]) + data[at + 1:]


def stores():
    store("ok", "store")
    name, damaged = tree_digest(INDEX), {"flipped-magic": 0, "flipped-salt": 9, "flipped-commitment": 40, "flipped-byte": 60, "flipped-tag": -1}
    for what, at in damaged.items():
        store("dataset.corrupt", f"index-{what}", flipped(INDEX, at), snapshot=name)
        store("dataset.corrupt", f"object-{what}", object_bytes=flipped(OBJECT, at))
    first = 48 + CHUNK + 16
    swapped = OBJECT[:48] + OBJECT[first:] + OBJECT[48:first]
    cases = {"truncated": lambda data: data[:-1], "extended": lambda data: data + b"\0", "empty": lambda data: b"", "header-alone": lambda data: data[:48]}
    for what, change in cases.items():
        store("dataset.corrupt", f"index-{what}", change(INDEX), snapshot=name)
        store("dataset.corrupt", f"object-{what}", object_bytes=change(OBJECT))
    store("dataset.corrupt", "object-chunks-swapped", object_bytes=swapped)
    store("dataset.corrupt", "object-first-chunk-repeated", object_bytes=OBJECT[:first] + OBJECT[48:48 + len(OBJECT) - first])
    store("dataset.corrupt", "object-of-another-file", object_bytes=seal("cce4long/v1/object", CONTENT, b"\xa3" * 24))
    store("dataset.corrupt", "object-of-another-dataset", object_bytes=seal("cce4long/v1/object", CONTENT, b"\xa1" * 24, dataset=b"\xdb" * 20))
    store("dataset.corrupt", "object-of-another-epoch", object_bytes=seal("cce4long/v1/object", CONTENT, b"\xa1" * 24, epoch=6))
    store("dataset.missing_object", "index", None, snapshot=name)
    store("dataset.missing_object", "object", object_bytes=None)
    store("dataset.wrong_snapshot", "older-index", sealed_index(salt=b"\xa4" * 24), snapshot=name)
    store("dataset.wrong_key", "another-dek", dek=bytes(32))
    store("dataset.wrong_key", "another-epoch", epoch=6)
    store("dataset.wrong_key", "index-of-another-dataset", sealed_index(sealing={"dataset": b"\xdb" * 20}))


def bad_indexes():
    bad = {
        "magic": {"magic": b"CCEY"}, "version": {"version": b"\2\0\0\0"}, "reserved-byte": {"version": b"\1\0\0\1"},
        "dataset": {"dataset": b"\xdb" * 20}, "end": {"end": b"CCEXEND\r"}, "more-entries-than-told": {"number": 1}, "fewer-entries-than-told": {"number": 3},
        "count-of-files": {"counts": (2, 1, 0, len(CONTENT))}, "count-of-bytes": {"counts": (1, 1, 0, 5)},
        "out-of-order": {"entries": [folder(0, b"b"), folder(0, b"a"), entry(1, 1, b"f", **FILE)], "counts": (1, 2, 0, len(CONTENT))},
        "twice": {"entries": [folder(0, b"a"), folder(0, b"a"), entry(1, 1, b"f", **FILE)], "counts": (1, 2, 0, len(CONTENT))},
        "depth-without-folder": {"entries": [entry(1, 1, b"f", **FILE)], "counts": (1, 0, 0, len(CONTENT))},
        "name-dot-dot": {"entries": [folder(0, b".."), entry(1, 1, b"f", **FILE)]},
        "name-with-slash": {"entries": [folder(0, b"a/b"), entry(1, 1, b"f", **FILE)]},
        "name-with-nul": {"entries": [folder(0, b"a\0"), entry(1, 1, b"f", **FILE)]},
        "name-empty": {"entries": [folder(0, b""), entry(1, 1, b"f", **FILE)]},
        "kind": {"entries": [entry(4, 0, b"a"), entry(1, 1, b"f", **FILE)]},
        "mode": {"entries": [entry(2, 0, b"a", mode=0o10755), entry(1, 1, b"f", **FILE)]},
        "extent-past-its-object": {"entries": [ENTRIES[0], entry(1, 1, b"f", **{**FILE, "extents": [(0, 1, len(CONTENT))]})]},
        "extent-of-no-object": {"entries": [ENTRIES[0], entry(1, 1, b"f", **{**FILE, "extents": [(1, 0, len(CONTENT))]})]},
        "extents-shorter-than-the-file": {"entries": [ENTRIES[0], entry(1, 1, b"f", **{**FILE, "extents": [(0, 0, 5)]})]},
        "link-that-climbs-out": {"entries": [*ENTRIES, entry(3, 0, b"l", target=b"../x")], "counts": (1, 1, 1, len(CONTENT))},
    }
    for what, changed in bad.items():
        store("dataset.bad_index", what, sealed_index(**changed))


def piece(path, payload=b"", kind=1, flags=1, mode=0o644, size=None, offset=0, length=None):
    return (struct.pack(">BBHqQQQH", kind, flags, mode, 5, len(payload) if size is None else size, offset,
                        len(payload) if length is None else length, len(path)) + path, payload)


def wire(pieces, magic=b"CCEU", log2=22, chunk=16, reserved=0, draft=DRAFT, number=0, records=None, total=None, base=bytes(32), trailer=None, more=b""):
    header = (magic + bytes([1, log2, chunk, reserved]) + draft
              + struct.pack(">IIQ", number, len(pieces) if records is None else records, sum(len(p) for _, p in pieces) if total is None else total) + base)
    digest = sha256(header + b"".join(head + (sha256(payload) if payload else b"") for head, payload in pieces))
    return header + b"".join(head + payload for head, payload in pieces) + (digest if trailer is None else trailer) + more


def parts():
    good = [piece(b"a", kind=2, mode=0o755), piece(b"a/f", b"hello")]
    link = lambda target: [piece(b"l", target, kind=3, mode=0o777)]
    cases = [
        ("ok", "part", wire(good)),
        ("upload.bad_part", "magic", wire(good, magic=b"CCEV")), ("upload.bad_part", "span", wire(good, log2=21)),
        ("upload.bad_part", "chunk", wire(good, chunk=17)), ("upload.bad_part", "reserved-byte", wire(good, reserved=1)),
        ("upload.bad_part", "no-record", wire([])), ("upload.bad_part", "trailer", wire(good, trailer=bytes(32))),
        ("upload.bad_part", "truncated", wire(good)[:-1]), ("upload.bad_part", "extended", wire(good, more=b"\0")),
        ("upload.bad_part", "payload-of-another-sum", wire(good, total=6)), ("upload.bad_part", "flipped-content", flipped(wire(good), -33)),
        ("upload.bad_part", "unknown-flag", wire([piece(b"f", b"hello", flags=5)])), ("upload.bad_part", "mode", wire([piece(b"f", b"hello", mode=0o10644)])),
        ("upload.bad_part", "folder-with-content", wire([piece(b"d", b"hello", kind=2)])),
        ("upload.bad_part", "piece-past-its-file", wire([piece(b"f", b"hello", size=4)])),
        ("upload.bad_part", "piece-inside-a-span", wire([piece(b"f", b"hello", size=9, offset=4)])),
        ("upload.bad_part", "last-flag-missing", wire([piece(b"f", b"hello", flags=0)])),
        ("upload.wrong_draft", "another-draft", wire(good, draft=bytes(16))), ("upload.wrong_draft", "another-number", wire(good, number=1)),
        ("upload.out_of_order", "paths", wire([piece(b"b", b"x"), piece(b"a", b"y")])), ("upload.out_of_order", "path-twice", wire([piece(b"a", b"x"), piece(b"a", b"y")])),
        ("upload.refused_kind", "device", wire([piece(b"d", kind=4)])),
        ("upload.part_too_large", "records", wire(good, records=65537)), ("upload.part_too_large", "payload", wire(good, total=(64 << 20) + 1)),
        ("dataset.bad_link", "absolute", wire(link(b"/etc/passwd"))), ("dataset.bad_link", "climbs-out", wire(link(b"../x"))),
    ]
    for what, path in {"dot-dot": b"a/../b", "absolute": b"/a", "nul": b"a\0b", "doubled-slash": b"a//b", "slash-at-the-end": b"a/", "dot": b"./a", "long-name": b"n" * 256, "empty": b""}.items():
        cases.append(("dataset.bad_path", what, wire([piece(path, b"x")])))
    for outcome, what, data in cases:
        write(outcome, f"part-{what}", [("draft", DRAFT), ("part", struct.pack(">I", 0)), ("wire", data)])


def main():
    shutil.rmtree(FOLDER, ignore_errors=True)
    os.makedirs(FOLDER)
    stores()
    bad_indexes()
    parts()


if __name__ == "__main__":
    main()
