"""NN_CONNECT_TIMEO: nn_connect waits for its first connection.

    connecting.py served|late|mismatch pynng|libnanomsg TRANSPORT
    connecting.py silent|absent TRANSPORT
"""

import socket as system
import threading

from nanomsg import NanomsgError, ours
from peers import check_equal, open_peer, own_place, run

# Milliseconds for a peer that never answers.
SHORT = 200


def address_of(transport):
    return "ipc://features.ipc" if transport == "ipc" else f"{transport}://{own_place()}"


def expect_timeout(socket, address):
    socket.set("CONNECT_TIMEO", SHORT)
    try:
        socket.connect(address)
    except NanomsgError as error:
        check_equal(error.name, "ETIMEDOUT", "the error")
    else:
        raise AssertionError("nn_connect has not failed")
    check_equal(socket.statistic("CURRENT_CONNECTIONS"), 0, "connections")
    check_equal(socket.address(), "", "the endpoint added last")


def expect_connection(socket, address, peer):
    socket.set("CONNECT_TIMEO", 20000)
    socket.connect(address)
    check_equal(socket.statistic("CURRENT_CONNECTIONS"), 1, "connections")
    socket.send(b"message")
    check_equal(peer.receive(), b"message", "the message")


def served(library, transport):
    """The peer is there."""
    with open_peer(library, "NN_PULL") as peer, ours().socket("NN_PUSH") as socket:
        peer.bind(address_of(transport))
        expect_connection(socket, address_of(transport), peer)


def late(library, transport):
    """The peer comes after the first attempt has failed."""
    with open_peer(library, "NN_PULL") as peer, ours().socket("NN_PUSH", RECONNECT_IVL=20) as socket:
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
    with open_peer(library, "NN_PUB") as peer, ours().socket("NN_PUSH") as socket:
        peer.bind(address_of(transport))
        expect_timeout(socket, address_of(transport))


def silent(transport):
    """The peer accepts connections, and says nothing."""
    family = system.AF_UNIX if transport == "ipc" else system.AF_INET
    place = "features.ipc" if transport == "ipc" else ("127.0.0.1", 0)
    with system.socket(family) as listener, ours().socket("NN_PUSH") as socket:
        listener.bind(place)
        listener.listen()
        bound = listener.getsockname()
        address = address_of(transport) if transport == "ipc" else f"{transport}://127.0.0.1:{bound[1]}"
        expect_timeout(socket, address)
        # It was there.
        listener.accept()[0].close()


def absent(transport):
    """There is no peer: the port is taken, but nothing listens."""
    with system.socket(system.AF_INET) as taken, ours().socket("NN_PUSH") as socket:
        taken.bind(("127.0.0.1", 0))
        address = f"{transport}://127.0.0.1:{taken.getsockname()[1]}"
        expect_timeout(socket, "ipc://absent.ipc" if transport == "ipc" else address)


run({"served": served, "late": late, "mismatch": mismatch, "silent": silent, "absent": absent})
