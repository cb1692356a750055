"""Where the shared attestation vectors are; a stranger's clone has none."""

import os

ROOT = os.path.dirname(os.path.dirname(os.path.abspath(__file__)))


def find_vectors(given):
    for candidate in (given, os.environ.get("CCE_VECTORS"), os.path.join(ROOT, "../shared/vectors")):
        if candidate and os.path.isdir(candidate):
            return os.path.abspath(candidate)
    return None
