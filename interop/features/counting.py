"""Queues that prefer new messages, and counters, with senders of other libraries:

    counting.py prefer_new|conflate|endpoints|both_ways pynng|libnanomsg
"""

from nanomsg import ours
from peers import check, check_equal, open_peer, run, wait_until

# More than all buffers of a connection over ipc take.
MANY = 4000
LENGTH = 500


def numbered(number):
    return f"{number:{LENGTH}}".encode()


def prefer_new(library):
    """A sender is not held back by a receiver that does not receive; what is dropped is counted."""
    with ours().socket("NN_PULL", RCV_PREFER_NEW=1, RCVBUF=4096) as socket, open_peer(library, "NN_PUSH") as peer:
        endpoint = socket.bind("ipc://features.ipc")
        peer.connect("ipc://features.ipc")
        for number in range(1, MANY + 1):
            peer.send(numbered(number))
        received = [0]
        while received[-1] < MANY:
            received.append(int(socket.receive()))
            check(received[-1] > received[-2], "later messages have greater numbers")
        check(len(received) < MANY, "messages were dropped")
        counters = socket.endpoint_statistics(endpoint)
        check_equal(counters["messages_received"], len(received) - 1, "received messages")
        check_equal(counters["missed"], MANY - len(received) + 1, "dropped messages")


def conflate(library):
    """Of each of two senders only the newest message is kept."""
    with ours().socket("NN_PULL", CONFLATE=1) as socket:
        endpoint = socket.bind("ipc://features.ipc")
        with open_peer(library, "NN_PUSH") as first, open_peer(library, "NN_PUSH") as second:
            for start, peer in ((0, first), (MANY, second)):
                peer.connect("ipc://features.ipc")
                for number in range(start + 1, start + MANY + 1):
                    peer.send(numbered(number))
            wait_until(
                lambda: socket.endpoint_statistics(endpoint)["missed"] == 2 * MANY - 2,
                "all messages but two are dropped",
            )
            newest = sorted(int(socket.receive()) for _ in range(2))
            check_equal(newest, [MANY, 2 * MANY], "the newest messages")
            check(not socket.has_message(), "nothing is left")


def endpoints(library):
    """The counters of two endpoints, and of the connections of three peers."""
    transports = ("tcp", "tcp", "ws")
    sizes = [[1, 10, 100], [7] * 5, [3000, 60000]]
    with ours().socket("NN_PULL", PEER_INFO=1) as socket:
        bound = {}
        for transport in ("tcp", "ws"):
            bound[transport] = (socket.bind(f"{transport}://127.0.0.1:0"), socket.address())
        for transport, wanted in zip(transports, sizes):
            with open_peer(library, "NN_PUSH") as peer:
                peer.connect(bound[transport][1])
                for size in wanted:
                    peer.send(bytes(size))
                for size in wanted:
                    message, facts = socket.receive_described()
                    check_equal(len(message), size, "the size of the message")
                counters = socket.pipe_statistics(facts.pipe())
                check_equal(counters["messages_received"], len(wanted), "messages of the connection")
                check_equal(counters["bytes_received"], sum(wanted), "bytes of the connection")
                check_equal(counters["endpoint"], bound[transport][0], "the endpoint of the connection")
        for transport, (endpoint, _) in bound.items():
            of_endpoint = [size for name, size in zip(transports, sizes) if name == transport]
            counters = socket.endpoint_statistics(endpoint)
            check_equal(counters["messages_received"], sum(map(len, of_endpoint)), f"messages over {transport}")
            check_equal(counters["bytes_received"], sum(map(sum, of_endpoint)), f"bytes over {transport}")
            check_equal(counters["connections"], len(of_endpoint), f"connections over {transport}")
        check_equal(socket.statistic("MESSAGES_RECEIVED"), sum(map(len, sizes)), "messages of the socket")
        check_equal(socket.statistic("BYTES_RECEIVED"), sum(map(sum, sizes)), "bytes of the socket")


def both_ways(library):
    """Messages sent and received by a PAIR socket that connects."""
    sent, received = [1, 20, 300], [4000, 5]
    with open_peer(library, "NN_PAIR") as peer, ours().socket("NN_PAIR", CONNECT_TIMEO=20000) as socket:
        peer.bind("ipc://features.ipc")
        endpoint = socket.connect("ipc://features.ipc")
        for size in sent:
            socket.send(bytes(size))
            check_equal(len(peer.receive()), size, "the size of a message")
        for size in received:
            peer.send(bytes(size))
            check_equal(len(socket.receive()), size, "the size of a message")
        counters = socket.endpoint_statistics(endpoint)
        found = [counters[f"{what}_{way}"] for what in ("messages", "bytes") for way in ("sent", "received")]
        check_equal(found, [len(sent), len(received), sum(sent), sum(received)], "messages and bytes")
        check_equal((counters["connections"], counters["connect_errors"]), (1, 0), "connections and errors")


run({"prefer_new": prefer_new, "conflate": conflate, "endpoints": endpoints, "both_ways": both_ways})
