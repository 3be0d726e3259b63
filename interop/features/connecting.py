"""NN_CONNECT_TIMEO: nn_connect waits for its first connection.

    connecting.py served|late|mismatch pynng|libnanomsg TRANSPORT
    connecting.py silent|absent TRANSPORT
    connecting.py greeted|shaken openssl
    connecting.py distrusted pynng tls+tcp|wss
"""

import select
import socket as system
import threading

from nanomsg import NanomsgError, ours
from peers import certificate, check_equal, open_peer, own_place, run, server_config
from secure import PULL_GREETING, has_output, openssl_server, say, wait_for_output

# Milliseconds for a peer that never answers.
SHORT = 200


def address_of(transport):
    return "ipc://features.ipc" if transport == "ipc" else f"{transport}://{own_place()}"


def is_secure(transport):
    return transport in ("tls+tcp", "wss")


def open_client(transport, authority="ca"):
    """A PUSH socket of this library. Over TLS it trusts an authority."""
    socket = ours().socket("NN_PUSH", RECONNECT_IVL=20)
    if is_secure(transport):
        socket.set("NN_TLS_CA_FILE", certificate(authority), "NN_TLS")
        socket.set("NN_TLS_SERVER_NAME", "localhost", "NN_TLS")
    return socket


def open_server(library, protocol, transport):
    """A socket of the other library. Over TLS it has a certificate."""
    peer = open_peer(library, protocol)
    if is_secure(transport):
        peer.socket.tls_config = server_config()
    return peer


def expect_timeout(socket, address, time=SHORT):
    socket.set("CONNECT_TIMEO", time)
    try:
        socket.connect(address)
    except NanomsgError as error:
        check_equal(error.name, "ETIMEDOUT", "the error")
    else:
        raise AssertionError("nn_connect has not failed")
    check_equal(socket.statistic("CURRENT_CONNECTIONS"), 0, "connections")
    check_equal(socket.address(), "", "the endpoint added last")


def expect_timeouts(socket, address, until):
    """Calls with ever longer times end in vain, until one was long enough for something to happen."""
    time = SHORT
    expect_timeout(socket, address, time)
    while not until():
        time *= 2
        expect_timeout(socket, address, time)


def expect_connection(socket, address, peer):
    socket.set("CONNECT_TIMEO", 20000)
    socket.connect(address)
    check_equal(socket.statistic("CURRENT_CONNECTIONS"), 1, "connections")
    socket.send(b"message")
    check_equal(peer.receive(), b"message", "the message")


def served(library, transport):
    """The peer is there."""
    with open_server(library, "NN_PULL", transport) as peer, open_client(transport) as socket:
        peer.bind(address_of(transport))
        expect_connection(socket, address_of(transport), peer)


def late(library, transport):
    """The peer comes after the first attempt has failed."""
    with open_server(library, "NN_PULL", transport) as peer, open_client(transport) as socket:
        events = socket.events()

        def come():
            events.wait_for("RETRY")
            peer.bind(address_of(transport))

        thread = threading.Thread(target=come)
        thread.start()
        expect_connection(socket, address_of(transport), peer)
        thread.join()


def mismatch(library, transport):
    """The peer has another protocol."""
    with open_server(library, "NN_PUB", transport) as peer, open_client(transport) as socket:
        peer.bind(address_of(transport))
        expect_timeout(socket, address_of(transport))


def silent(transport):
    """The peer has connections, and says nothing."""
    family = system.AF_UNIX if transport == "ipc" else system.AF_INET
    place = "features.ipc" if transport == "ipc" else ("127.0.0.1", 0)
    with system.socket(family) as listener, ours().socket("NN_PUSH") as socket:
        listener.bind(place)
        listener.listen()
        bound = listener.getsockname()
        address = address_of(transport) if transport == "ipc" else f"{transport}://127.0.0.1:{bound[1]}"
        expect_timeouts(socket, address, lambda: select.select([listener], [], [], 0)[0])


def absent(transport):
    """There is no peer: the port is taken, but nothing listens."""
    with system.socket(system.AF_INET) as taken, ours().socket("NN_PUSH") as socket:
        taken.bind(("127.0.0.1", 0))
        address = f"{transport}://127.0.0.1:{taken.getsockname()[1]}"
        expect_timeout(socket, "ipc://absent.ipc" if transport == "ipc" else address)


def greeted(_program):
    """The peer is a program of TLS that sends the greeting of a socket."""
    with openssl_server("server") as (peer, address), open_client("tls+tcp") as socket:
        say(peer, PULL_GREETING)
        socket.set("CONNECT_TIMEO", 20000)
        socket.connect(address)
        check_equal(socket.statistic("CURRENT_CONNECTIONS"), 1, "connections")


def shaken(_program):
    """The peer says nothing after the handshake of TLS."""
    with openssl_server("server") as (_, address), open_client("tls+tcp") as socket:
        wait_for_output("server.txt", "ACCEPT")
        expect_timeouts(socket, address, lambda: has_output("server.txt", "CIPHER is"))


def distrusted(library, transport):
    """This side does not trust the peer."""
    with open_server(library, "NN_PULL", transport) as peer, open_client(transport, "other-ca") as socket:
        peer.bind(address_of(transport))
        expect_timeouts(socket, address_of(transport), lambda: socket.statistic("CONNECT_ERRORS") > 0)


run({
    "served": served,
    "late": late,
    "mismatch": mismatch,
    "silent": silent,
    "absent": absent,
    "greeted": greeted,
    "shaken": shaken,
    "distrusted": distrusted,
})
