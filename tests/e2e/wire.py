"""What a hostile client or host sends: requests made by hand, without `cce` and without its checks.

Signing needs the package eth-account, which is imported where it is used.
"""

import base64
import hashlib
import json
import ssl
import time
import urllib.error
import urllib.request

# The base point of P-256: a valid key, whose owner does not matter.
A_PUBLIC_KEY = ("046b17d1f2e12c4247f8bce6e563a440f277037d812deb33a0f4a13945d898c296"
                "4fe342e2fe1a7f9b8ee7eb4a7c0f9e162bce33576b315ececbb6406837bf51f5")
SUITE = "hpke-p256-sha256-aes256gcm"


def rfc3339(seconds):
    return time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime(seconds))


class Refused(Exception):
    """An answer with an error status: its code, and the whole problem document."""

    def __init__(self, status, problem):
        super().__init__(f"{status} {json.dumps(problem)}")
        self.status = status
        self.problem = problem
        self.code = problem.get("code", "")


class Wire:
    def __init__(self, url, chain_id):
        self.url = url
        self.chain_id = chain_id
        self.context = ssl.create_default_context()
        self.context.check_hostname = False
        self.context.verify_mode = ssl.CERT_NONE

    def send(self, method, path, body=None, token=None):
        """The answer's JSON; Refused where the status is an error."""
        if body is not None and not isinstance(body, bytes):
            body = json.dumps(body).encode()
        headers = {"content-type": "application/json"}
        if token is not None:
            headers["authorization"] = "Bearer " + token
        request = urllib.request.Request(self.url + path, body, headers, method=method)
        try:
            with urllib.request.urlopen(request, context=self.context, timeout=30) as answer:
                return json.loads(answer.read() or b"{}")
        except urllib.error.HTTPError as error:
            raise Refused(error.code, json.loads(error.read())) from None

    def get(self, path, token=None):
        return self.send("GET", path, token=token)

    def post(self, path, body, token=None):
        return self.send("POST", path, body, token)

    # -- sign-in

    def nonce(self):
        return self.post("/v1/nonces", {})["nonce"]

    def identity_hash(self):
        document = self.get("/v1/identity?challenge=" + "00" * 32)["document"]
        return hashlib.sha256(base64.b64decode(document)).hexdigest()

    def sign_in(self, key, resource, *, signer=None, **changed):
        """An EIP-4361 message of the wallet of `key`, signed; `changed` replaces what an honest one says."""
        from eth_account import Account
        from eth_account.messages import encode_defunct
        now = int(time.time())
        said = {"domain": self.url.removeprefix("https://"), "address": Account.from_key(key).address,
                "uri": self.url, "chain_id": self.chain_id, "issued": now, "expires": now + 600,
                "identity": changed.pop("identity", None) or self.identity_hash(), "nonce": None, "resource": resource}
        said |= changed
        said["nonce"] = said["nonce"] or self.nonce()
        message = f"""{said['domain']} wants you to sign in with your Ethereum account:
{said['address']}

A test's message.

URI: {said['uri']}
Version: 1
Chain ID: {said['chain_id']}
Nonce: {said['nonce']}
Issued At: {rfc3339(said['issued'])}
Expiration Time: {rfc3339(said['expires'])}
Resources:
- urn:cce4long:v1:identity:{said['identity']}
- {said['resource']}"""
        signed = Account.sign_message(encode_defunct(text=message), signer or key)
        return {"message": message, "signature": bytes(signed.signature).hex()}

    # -- jobs

    def job_spec(self, wallet, dataset, snapshot, image, **changed):
        repository, digest = image
        spec = {"version": 1, "wallet": wallet, "chain_id": self.chain_id,
                "datasets": [{"dataset": dataset, "snapshot": snapshot, "files": []}],
                "image": {"repository": repository, "digest": digest}, "command": [],
                "limits": {"memory_mib": 256, "cpu_millis": 1000, "pids": 64, "disk_mib": 64, "seconds": 60},
                "consumer_key": A_PUBLIC_KEY, "source_digest": "", "title": ""} | changed
        return json.dumps(spec).encode()

    # -- what an owner orders

    def order(self, key, dataset, action, number, snapshot="00" * 32):
        """A dataset order as cced takes it, signed (EIP-712) by the wallet of `key`."""
        from eth_account import Account
        from eth_account.messages import encode_typed_data
        whole = snapshot == "00" * 32
        summary = {
            "verify": f"Read and authenticate every object of snapshot {snapshot} of dataset {dataset}",
            "rotate": f"Seal dataset {dataset} anew under a new epoch and destroy the old epochs' secrets",
            "abandon": f"Abandon every upload to dataset {dataset} that is not finalized",
        }.get(action, f"Delete {'' if whole else f'snapshot {snapshot} of '}dataset {dataset} for good: "
                      "nobody will be able to read it again")
        fields = [("dataset", "address"), ("number", "uint64"), ("action", "string"), ("snapshot", "bytes32"),
                  ("summary", "string")]
        domain = {"name": "cce4long", "version": "1", "chainId": self.chain_id, "verifyingContract": dataset}
        message = {"dataset": dataset, "number": number, "action": action, "snapshot": bytes.fromhex(snapshot),
                   "summary": summary}
        typed = encode_typed_data(domain_data=domain, message_data=message, message_types={
            "DatasetOrder": [{"name": name, "type": kind} for name, kind in fields]})
        account = Account.from_key(key)
        return {"action": action, "snapshot": snapshot, "number": number, "signer": account.address.lower(),
                "signature": account.sign_message(typed).signature.hex().removeprefix("0x")}

    def refusal(self, method, path, body=None, token=None):
        """The code of the refusal, or nothing where it was accepted."""
        try:
            self.send(method, path, body, token)
        except Refused as refused:
            return refused.code
        return ""

    def submit(self, spec, sign_in):
        return self.post("/v1/jobs", {"job_spec": base64.b64encode(spec).decode(), "sign_in": sign_in})

    # -- what a machine sends

    def challenge(self, credential):
        return self.post("/v1/cvm/challenge", {"credential": credential})["challenge"]

    def keys(self, credential, **changed):
        return self.post("/v1/cvm/keys", {
            "credential": credential, "challenge": "00" * 32, "request_id": "00" * 16,
            "public_key": A_PUBLIC_KEY, "suite": SUITE, "evidence": "AAAA"} | changed)

    def result(self, credential, sealed=b"not sealed", **changed):
        header = json.dumps({
            "credential": credential, "challenge": "00" * 32, "public_key": A_PUBLIC_KEY, "evidence": "AAAA",
            "output": hashlib.sha256(sealed).hexdigest(), "output_size": len(sealed), "outcome": "succeeded",
            "stages": []} | changed).encode()
        return self.post("/v1/cvm/result", len(header).to_bytes(4, "big") + header + sealed)


def job_resource(spec):
    return "urn:cce4long:v1:job:" + hashlib.sha256(spec).hexdigest()


def claims_of(credential):
    claims = credential.split(".")[1]
    return json.loads(base64.urlsafe_b64decode(claims + "=" * (-len(claims) % 4)))


def credential_with(credential, **changed):
    """The credential with other claims under its old signature."""
    head, _, signature = credential.split(".")
    value = claims_of(credential) | changed
    claims = base64.urlsafe_b64encode(json.dumps(value, separators=(",", ":")).encode()).rstrip(b"=").decode()
    return f"{head}.{claims}.{signature}"
