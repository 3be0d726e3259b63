"""Events over TLS: connections that are made and lost, and handshakes that fail, with their reasons.

    secure_events.py accepted nngcat|pynng tls+tcp|wss
    secure_events.py connected pynng tls+tcp|wss
    secure_events.py connected openssl tls+tcp
    secure_events.py distrusted|plain|unknown nngcat tls+tcp|wss
    secure_events.py refused openssl CERTIFICATE

The error of an event is what NN_MONITOR says; the words are those of NN_PRINT_ERRORS.
"""

import subprocess

from peers import PynngSocket, certificate, check, check_equal, client_config, own_place, run, running
from peers import server_config
from secure import PULL_GREETING, Printed, client, openssl_server, say, server

# For each certificate of a server that is refused, words of the reason.
REFUSED = {
    "other": "UnknownIssuer",
    "expired": "expired",
    "wrong-name": "not valid for name",
    "revoked": "Revoked",
}


def nngcat(address, authority="ca"):
    command = ["nngcat", "--push", "--connect", address, "--data", "message", "--interval", "1", "--async"]
    return [*command, "--cacert", certificate(authority)]


def accepted(program, transport):
    """A peer comes and goes: nngcat is killed, and pynng closes its socket."""
    socket, address, events = server(transport)
    check_equal(events.wait_for("LISTENING").properties["local"], socket.address(), "the address of the event")
    if program == "nngcat":
        with running(nngcat(address)):
            event = expect_accepted(socket, events)
    else:
        with PynngSocket("NN_PUSH") as peer:
            peer.socket.tls_config = client_config()
            peer.connect(address)
            peer.send(b"message")
            event = expect_accepted(socket, events)
    # An end without a word of the peer may be the network's.
    check_disconnected(events, event, ("PEER", "NETWORK"))
    socket.close()


def expect_accepted(socket, events):
    event = events.wait_for("ACCEPTED")
    check_equal(event.protocol, socket.library.numbers["NN_PUSH"], "the protocol of the peer")
    check(event.properties["peer"].startswith(socket.address().rpartition(":")[0]), "the address of the peer")
    check_equal(socket.receive(), b"message", "the message")
    return event


def check_disconnected(events, begin, reasons):
    end = events.wait_for("DISCONNECTED")
    check_equal((end.pipe, end.properties["peer"]), (begin.pipe, begin.properties["peer"]), "what has ended")
    check(end.reason in reasons, f"{end.reason} is one of {reasons}")


def connected(program, transport):
    """This side connects; the peer goes, and the next attempt is announced."""
    socket, events = client()
    if program == "pynng":
        with PynngSocket("NN_PULL") as peer:
            peer.socket.tls_config = server_config()
            address = f"{transport}://{own_place()}"
            peer.bind(address)
            check_connected(socket, events, address, "NN_PULL")
            socket.send(b"message")
            check_equal(peer.receive(), b"message", "the message")
    else:
        with openssl_server("server") as (peer, address):
            say(peer, PULL_GREETING)
            check_connected(socket, events, address, "NN_PULL")
    end = events.wait_for("DISCONNECTED")
    check(end.reason in ("PEER", "NETWORK"), f"{end.reason} is of the peer")
    check_equal(events.wait_for("RETRY").value, 20, "the time to the next attempt")
    socket.close()


def check_connected(socket, events, address, protocol):
    socket.connect(address)
    check_equal(events.wait_for("CONNECTING").properties["peer"], address, "the address")
    event = events.wait_for("CONNECTED")
    check_equal(event.properties["peer"], address, "the peer's address")
    check_equal(event.protocol, socket.library.numbers[protocol], "the peer's protocol")


def expect_failure(events, error, words, printed, count, before=None):
    """A handshake has failed, for this reason. Attempts before it may have failed for another reason: `before`."""
    event = events.wait_for("HANDSHAKE_FAILED")
    while event.error == before:
        event = events.wait_for("HANDSHAKE_FAILED")
    check_equal((event.error, event.pipe), (error, 0), "the error")
    printed.wait_for(words)
    check(count() > 0, "it is counted")


def of_stranger(command, transport, error, words, authority=None, before=None):
    printed = Printed()
    socket, address, events = server(transport, authority)
    with running(command(address), stderr=subprocess.DEVNULL):
        expect_failure(events, error, words, printed, lambda: socket.statistic("HANDSHAKE_ERRORS"), before)
    check_equal(socket.statistic("ACCEPTED_CONNECTIONS"), 0, "accepted connections")
    socket.close()


def distrusted(_program, transport):
    """nngcat does not trust the certificate.

    It closes the connection without its alert if it has not yet noticed that its first bytes were sent, and tries again.
    """
    of_stranger(
        lambda address: nngcat(address, "other-ca"), transport, "EPROTO", "UnknownCA", before="ECONNRESET"
    )


def plain(_program, transport):
    """nngcat connects without TLS."""
    scheme = {"tls+tcp": "tcp", "wss": "ws"}[transport]
    of_stranger(
        lambda address: nngcat(address.replace(transport, scheme)), transport, "EPROTO", "received corrupt message"
    )


def unknown(_program, transport):
    """nngcat shows no certificate, and must."""
    of_stranger(nngcat, transport, "EACCES", "peer sent no certificates", "ca")


def refused(_program, name):
    """openssl's server shows a certificate that is not accepted."""
    printed = Printed()
    socket, events = client()
    if name == "revoked":
        socket.set("NN_TLS_CRL_FILE", certificate("crl"), "NN_TLS")
    with openssl_server(name) as (_, address):
        socket.connect(address)
        expect_failure(events, "EACCES", REFUSED[name], printed, lambda: socket.statistic("HANDSHAKE_ERRORS"))
    check_equal(socket.statistic("ESTABLISHED_CONNECTIONS"), 0, "connections")
    socket.close()


run(
    {
        "accepted": accepted,
        "connected": connected,
        "distrusted": distrusted,
        "plain": plain,
        "unknown": unknown,
        "refused": refused,
    }
)
