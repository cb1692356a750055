"""Where the fuzz targets' seeds come from: the simulated chip's own evidence always, the shared attestation vectors where
they are. Neither is kept in the repository; fuzz/corpus has the few inputs that are."""

import glob
import os
import struct
import subprocess

ROOT = os.path.dirname(os.path.dirname(os.path.abspath(__file__)))
KEPT = os.path.join(ROOT, "fuzz/corpus")
# Folders of the shared vectors that hold whole inputs of a target.
VECTORS = {
    "fuzz_evidence": ("tdx/quotes", "snp/reports", "snp/azure"),
    "fuzz_tdx_quote": ("tdx/quotes",),
    "fuzz_snp_report": ("snp/reports", "snp/azure", "snp/negative"),
    "fuzz_extensions": ("tdx/certs", "snp/vek", "snp/ca"),
    "fuzz_crl": ("tdx/crl", "snp/crl"),
    "fuzz_tcb_info": ("tdx/tcbinfo",),
    "fuzz_qe_identity": ("tdx/qeid",),
    "fuzz_collateral": ("tdx/bundles",),
    "fuzz_event_log": ("tdx/eventlog",),
}


def signature_data(vectors, folder):
    """The signature data of the vectors' version 4 quotes, each as an input of its own."""
    os.makedirs(folder, exist_ok=True)
    for path in glob.glob(os.path.join(vectors, "tdx/quotes/*")):
        with open(path, "rb") as file:
            quote = file.read()
        if quote[:2] != b"\x04\x00" or len(quote) < 636:
            continue
        size, = struct.unpack_from("<I", quote, 632)
        with open(os.path.join(folder, os.path.basename(path)), "wb") as out:
            out.write(quote[636:636 + size])


def write_seeds(tsm_sim, folder, vectors=None):
    """Makes the seeds of this run below `folder`."""
    subprocess.run([tsm_sim, "seeds", "--out", folder], check=True)
    if vectors:
        signature_data(vectors, os.path.join(folder, "fuzz_signature_data"))


def folders_of(target, folder, vectors=None):
    """The folders with inputs of a target: kept, made by write_seeds, shared."""
    candidates = [os.path.join(KEPT, target), os.path.join(folder, target)]
    if vectors:
        candidates += [os.path.join(vectors, part) for part in VECTORS.get(target, ())]
    return [candidate for candidate in candidates if os.path.isdir(candidate)]
