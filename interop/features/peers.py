"""Sockets of the other libraries, with the methods of nanomsg.Socket that the programs of this folder use."""

import contextlib
import os
import subprocess
import sys
import tempfile
import time

import pynng

from nanomsg import LIMIT_MS, reference

PROTOCOLS = {
    "NN_PAIR": pynng.Pair0,
    "NN_REQ": pynng.Req0,
    "NN_REP": pynng.Rep0,
    "NN_PUSH": pynng.Push0,
    "NN_PULL": pynng.Pull0,
    "NN_PUB": pynng.Pub0,
    "NN_SUB": pynng.Sub0,
    "NN_SURVEYOR": pynng.Surveyor0,
    "NN_RESPONDENT": pynng.Respondent0,
    "NN_BUS": pynng.Bus0,
}


class PynngSocket:
    """A socket of pynng, which a `with` block closes."""

    def __init__(self, protocol, **options):
        options = {"recv_timeout": LIMIT_MS, "send_timeout": LIMIT_MS, **options}
        self.socket = PROTOCOLS[protocol](**options)

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.close()

    def close(self):
        self.socket.close()

    def connect(self, address):
        self.socket.dial(address)

    def bind(self, address):
        """Binds, and returns the address with its port."""
        listener = self.socket.listen(address)
        bound = str(listener.local_address)
        return f"{address.partition('://')[0]}://{bound}" if address.startswith("tcp") else address

    def subscribe(self, topic):
        self.socket.subscribe(topic)

    def send(self, message):
        self.socket.send(message)

    def receive(self):
        return self.socket.recv_msg().bytes


def open_peer(library, protocol):
    """A socket of "pynng" or "libnanomsg"."""
    return PynngSocket(protocol) if library == "pynng" else reference().socket(protocol)


def wait_until(condition, what):
    """Waits until a condition is true that no call waits for."""
    end = time.monotonic() + LIMIT_MS / 1000
    while not condition():
        if time.monotonic() > end:
            sys.exit(f"never: {what}")
        time.sleep(0.01)


# Another user than root, and the user's group: "nobody" of Debian.
OTHER_UID, OTHER_GID = 65534, 65534


def as_other_user(command):
    """The command as another user, in the same process."""
    return ["setpriv", f"--reuid={OTHER_UID}", f"--regid={OTHER_GID}", "--clear-groups", *command]


@contextlib.contextmanager
def open_folder():
    """A folder that other users can enter."""
    with tempfile.TemporaryDirectory() as folder:
        os.chmod(folder, 0o755)
        yield folder


@contextlib.contextmanager
def running(command, **options):
    """A command that is killed at the end of the block."""
    with subprocess.Popen(command, **options) as process:
        try:
            yield process
        finally:
            process.kill()


def own_place(offset=0):
    """A host and a port that nothing else has, for a peer that binds."""
    return f"{os.environ['INTEROP_HOST']}:{int(os.environ['NN_TEST_PORT']) + offset}"


def certificate(name):
    """The path of one of the certificates of the tests."""
    return os.path.join(os.environ["INTEROP_CERTIFICATES"], f"{name}.pem")


def read(path):
    with open(path, encoding="ascii") as file:
        return file.read()


def client_config(name=None):
    """The TLS of a client of pynng, which trusts the CA, and has one of the certificates if there is a name."""
    own = read(certificate(name)) if name else None
    return pynng.TLSConfig(
        pynng.TLSConfig.MODE_CLIENT,
        ca_string=read(certificate("ca")),
        own_cert_string=own,
        own_key_string=own,
        server_name="localhost",
    )


def server_config():
    """The TLS of a server of pynng."""
    own = read(certificate("server"))
    return pynng.TLSConfig(pynng.TLSConfig.MODE_SERVER, own_cert_string=own, own_key_string=own)


def check(condition, what):
    """Ends the program as failed unless the condition is true."""
    if not condition:
        sys.exit(f"not true: {what}")


def check_equal(found, wanted, what):
    if found != wanted:
        sys.exit(f"{what}: {found!r} instead of {wanted!r}")


def run(checks):
    """Calls the function that the first argument names, with the other arguments."""
    checks[sys.argv[1]](*sys.argv[2:])
