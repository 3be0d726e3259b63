"""Which certificates are trusted, with openssl's commands:

    trust.py roots
    trust.py crl client|server
"""

import os
import struct

from nanomsg import NanomsgError
from peers import certificate, check, check_equal, run
from secure import (
    PULL_GREETING,
    PUSH_GREETING,
    Printed,
    client,
    openssl_client,
    openssl_server,
    say,
    server,
)


def roots():
    """The authorities of the system, in the file that SSL_CERT_FILE names, count if the program wants that."""
    with openssl_server("server") as (peer, address):
        for authority, error in (("other-ca", "EACCES"), ("ca", None)):
            os.environ["SSL_CERT_FILE"] = certificate(authority)
            printed = Printed()
            socket, events = client(authority=None)
            try:
                socket.connect(address)
            except NanomsgError as failure:
                check_equal(failure.name, "EINVAL", "the error without any authority")
            else:
                raise AssertionError("an endpoint without an authority connects")
            socket.set("NN_TLS_SYSTEM_ROOTS", 1, "NN_TLS")
            socket.connect(address)
            if error:
                check_equal(events.wait_for("HANDSHAKE_FAILED").error, error, "the error")
                printed.wait_for("UnknownIssuer")
            else:
                say(peer, PULL_GREETING)
                events.wait_for("CONNECTED")
            socket.close()


def crl_of_server():
    """A server whose certificate the list of ours has is refused. Without the list it is not."""
    with openssl_server("revoked") as (peer, address):
        printed = Printed()
        socket, events = client()
        socket.set("NN_TLS_CRL_FILE", certificate("crl"), "NN_TLS")
        socket.connect(address)
        check_equal(events.wait_for("HANDSHAKE_FAILED").error, "EACCES", "the error")
        printed.wait_for("Revoked")
        socket.close()
        socket, events = client()
        socket.connect(address)
        say(peer, PULL_GREETING)
        events.wait_for("CONNECTED")
        socket.close()


def crl_of_client():
    """A client whose certificate the list of ours has is refused, and another one is served."""
    printed = Printed()
    socket, address, events = server("tls+tcp", "ca", NN_TLS_CRL_FILE=certificate("crl"))
    with openssl_client(address, "-cert", certificate("revoked")) as peer:
        check_equal(events.wait_for("HANDSHAKE_FAILED").error, "EACCES", "the error")
        printed.wait_for("Revoked")
        check(peer.wait() != 0, "openssl fails too")
    with openssl_client(address, "-cert", certificate("client")) as peer:
        say(peer, PUSH_GREETING + struct.pack(">Q", 7) + b"message")
        check_equal(socket.receive(), b"message", "the message")
    socket.close()


run({"roots": roots, "crl": lambda side: {"client": crl_of_client, "server": crl_of_server}[side]()})
