"""What stands between a client and cced: a host that counts, cuts, delays, and ends TLS itself."""

import selectors
import socket
import ssl
import subprocess
import threading


class Proxy:
    """Passes TCP on from one port of 127.0.0.1 to another. `after(count, action)` runs an action once, when so many
    bytes have come from clients; `cut()` breaks every connection off. With `intercept` it ends TLS with a key of its
    own and reads along."""

    def __init__(self, port, target, certificate=None):
        self.target = target
        self.certificate = certificate
        self.intercept = False
        self.received = 0  # from clients
        self.read = b""  # what an interception could read of requests
        self.action = None
        self.pairs = set()
        self.lock = threading.Lock()
        self.closed = False
        self.listener = socket.create_server(("127.0.0.1", port))
        threading.Thread(target=self.accept, daemon=True).start()

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.closed = True
        self.listener.close()
        self.cut()

    def after(self, count, action):
        with self.lock:
            self.action = (self.received + count, action)

    def cut(self):
        with self.lock:
            pairs, self.pairs = self.pairs, set()
        for pair in pairs:
            for end in pair:
                try:
                    end.shutdown(socket.SHUT_RDWR)
                except OSError:
                    pass

    def accept(self):
        while not self.closed:
            try:
                client, _ = self.listener.accept()
            except OSError:
                return
            threading.Thread(target=self.serve, args=(client,), daemon=True).start()

    def serve(self, client):
        try:
            server = socket.create_connection(("127.0.0.1", self.target))
        except OSError:
            client.close()
            return
        with self.lock:
            intercept = self.intercept
            pair = (client, server)
            self.pairs.add(pair)
        try:
            if intercept:
                self.pass_on_read(client, server)
            else:
                self.pass_on(client, server)
        except OSError:
            pass
        finally:
            with self.lock:
                self.pairs.discard(pair)
            client.close()
            server.close()

    def count(self, data):
        with self.lock:
            self.received += len(data)
            action = None
            if self.action and self.received >= self.action[0]:
                action = self.action[1]
                self.action = None
        if action:
            action()

    def pass_on(self, client, server):
        with selectors.DefaultSelector() as selector:
            selector.register(client, selectors.EVENT_READ, server)
            selector.register(server, selectors.EVENT_READ, client)
            while True:
                for key, _ in selector.select():
                    data = key.fileobj.recv(1 << 16)
                    if not data:
                        return
                    if key.fileobj is client:
                        self.count(data)
                    key.data.sendall(data)

    def pass_on_read(self, client, server):
        """Request by request: the answer is passed on, and what the client sent is noted."""
        ours = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        ours.load_cert_chain(*self.certificate)
        theirs = ssl.create_default_context()
        theirs.check_hostname = False
        theirs.verify_mode = ssl.CERT_NONE
        client.settimeout(10)
        server.settimeout(10)
        plain_client = ours.wrap_socket(client, server_side=True)
        plain_server = theirs.wrap_socket(server)

        def answers():
            try:
                while data := plain_server.recv(1 << 16):
                    plain_client.sendall(data)
            except OSError:
                pass

        threading.Thread(target=answers, daemon=True).start()
        while data := plain_client.recv(1 << 16):
            with self.lock:
                self.read += data
            plain_server.sendall(data)


def make_certificate(folder):
    """A key and a certificate that anyone can make: (certificate, key)."""
    certificate, key = f"{folder}/proxy.crt", f"{folder}/proxy.key"
    subprocess.run(["openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes",
                    "-keyout", key, "-out", certificate, "-subj", "/CN=127.0.0.1", "-days", "2"],
                   check=True, capture_output=True)
    return certificate, key
