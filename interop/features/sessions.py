"""Sessions of TLS that are resumed, with openssl's commands:

    sessions.py client|server|reload 1.2|1.3

The name is the side of openssl.
"""

import os
import struct

from peers import check, check_equal, read, run, wait_until
from secure import PULL_GREETING, PUSH_GREETING, client, openssl_client, openssl_server, say, server, wait_for_output


def version_option(version):
    return f"-tls{version.replace('.', '_')}"


def begin_session(address, events, version):
    """A connection of openssl, which keeps its session in a file."""
    with openssl_client(address, version_option(version), "-sess_out", "session.pem") as peer:
        say(peer, PUSH_GREETING)
        events.wait_for("ACCEPTED")
        wait_until(lambda: os.path.exists("session.pem") and os.path.getsize("session.pem"), "a session comes")
        wait_for_output("client.txt", "New, ")


def resume_session(address, events, version, words):
    """Another one, with the session of the file."""
    with openssl_client(address, version_option(version), "-sess_in", "session.pem") as peer:
        say(peer, PUSH_GREETING + struct.pack(">Q", 7) + b"message")
        events.wait_for("ACCEPTED")
        wait_for_output("client.txt", f"{words}, TLSv{version}, Cipher is")


def resumed_by_client(version):
    """openssl resumes its session at a socket of ours."""
    socket, address, events = server("tls+tcp")
    begin_session(address, events, version)
    resume_session(address, events, version, "Reused")
    check_equal(socket.receive(), b"message", "the message")
    socket.close()


def reload(version):
    """After NN_TLS_RELOAD it does not."""
    socket, address, events = server("tls+tcp")
    begin_session(address, events, version)
    socket.set("NN_TLS_RELOAD", 1, "NN_TLS")
    resume_session(address, events, version, "New")
    check_equal(socket.receive(), b"message", "the message")
    socket.close()


def resumed_by_ours(version):
    """Ours resumes its session when it connects again to openssl."""
    socket, events = client()
    with openssl_server("server", version_option(version)) as (peer, address):
        wait_for_output("server.txt", "ACCEPT")
        socket.connect(address)
        pipe = connected(peer, events, 1)
        check("Reused" not in read("server.txt"), "the first session is new")
        socket.set("PIPE_CLOSE", struct.pack("=Q", pipe))
        events.wait_for("DISCONNECTED")
        connected(peer, events, 2)
        wait_for_output("server.txt", "Reused session-id")
    socket.close()


def connected(peer, events, count):
    """Greets at the connection with the number `count`, and returns its pipe."""
    wait_for_output("server.txt", "CIPHER is", count)
    say(peer, PULL_GREETING)
    return events.wait_for("CONNECTED").pipe


run({"client": resumed_by_client, "server": resumed_by_ours, "reload": reload})
