"""Contexts of this library (NN_SHARE) with sockets of other libraries:

    contexts.py subscribers|surveyors|respondents pynng|libnanomsg TRANSPORT
"""

import threading

import pynng

from nanomsg import LIMIT_MS, NanomsgError, ours
from peers import PynngSocket, check, check_equal, open_peer, run

CONTEXTS = 64
ROUNDS = 5
# Surveys on their way together: nng drops one that finds no room in its queue, which 16 may not.
AT_ONCE = 4


def address_of(transport):
    return "ipc://features.ipc" if transport == "ipc" else f"{transport}://127.0.0.1:0"


def opened(protocol, transport):
    """A bound socket, and all its contexts including itself."""
    socket = ours().socket(protocol)
    socket.bind(address_of(transport))
    return socket, [socket, *(socket.context() for _ in range(CONTEXTS - 1))]


def close_all(sockets):
    for socket in sockets:
        socket.close()


def subscribers(library, transport):
    """Each context receives what it has subscribed to, once and in order, and what all have."""
    socket, contexts = opened("NN_SUB", transport)
    with open_peer(library, "NN_PUB") as publisher:
        for number, context in enumerate(contexts):
            context.subscribe(f"{number:02}")
            context.subscribe("end")
        socket.subscribe("hello")
        publisher.connect(socket.address())
        # A publisher drops what it sends before it is connected.
        publisher.send(b"hello")
        while not socket.has_message(20):
            publisher.send(b"hello")
        for turn in range(ROUNDS):
            for number, context in enumerate(contexts):
                text = f"{number:02}, {turn}".encode()
                publisher.send(text)
                while (received := context.receive()) == b"hello":
                    pass
                check_equal(received, text, f"context {number}")
        publisher.send(b"end")
        for number, context in enumerate(contexts):
            check_equal(context.receive(), b"end", f"the end for context {number}")
            check(not context.has_message(), "nothing is left")
    close_all(contexts)


def answer(peer, name, others=None):
    """Answers surveys until the socket is closed; with a barrier, when so many others have one too."""
    try:
        while True:
            survey = peer.receive()
            if others:
                others.wait(LIMIT_MS / 1000)
            peer.send(name + survey)
    except (NanomsgError, pynng.Closed, threading.BrokenBarrierError):
        pass


def surveyors(library, transport):
    """Each context receives one response of each respondent to its own survey."""
    socket, contexts = opened("NN_SURVEYOR", transport)
    socket.set("NN_SURVEYOR_DEADLINE", 20000, "NN_SURVEYOR")
    for context in contexts[1:]:
        context.set("NN_SURVEYOR_DEADLINE", 20000, "NN_SURVEYOR")
    names = [b"one: ", b"two: "]
    peers = [open_peer(library, "NN_RESPONDENT") for _ in names]
    events = socket.events()
    for peer in peers:
        peer.connect(socket.address())
        events.wait_for("ACCEPTED")
    threads = [threading.Thread(target=answer, args=[peer, name]) for peer, name in zip(peers, names)]
    for thread in threads:
        thread.start()
    # A RESPONDENT of libnanomsg drops a response while it is still sending the one before: there each survey waits for the last.
    at_once = len(contexts) if library == "pynng" else 1
    for turn in range(ROUNDS):
        for first in range(0, len(contexts), at_once):
            asking = list(enumerate(contexts))[first : first + at_once]
            for number, context in asking:
                context.send(f"{number}, {turn}".encode())
            for number, context in asking:
                responses = sorted(context.receive() for _ in names)
                check_equal(responses, [name + f"{number}, {turn}".encode() for name in names], f"context {number}")
    check(not any(context.has_message() for context in contexts), "there is no other response")
    check_equal(socket.statistic("MESSAGES_RECEIVED"), CONTEXTS * ROUNDS * len(names), "responses")
    close_all(peers)
    for thread in threads:
        thread.join()
    close_all(contexts)


def questions(library, address):
    """So many surveyors: contexts of a socket of pynng, and sockets of libnanomsg."""
    if library == "pynng":
        socket = PynngSocket("NN_SURVEYOR", survey_time=20000)
        socket.connect(address)
        contexts = [socket.socket.new_context() for _ in range(CONTEXTS)]
        return socket, contexts, lambda context: context.recv_msg().bytes
    sockets = [open_peer(library, "NN_SURVEYOR") for _ in range(CONTEXTS)]
    for socket in sockets:
        socket.set("NN_SURVEYOR_DEADLINE", 20000, "NN_SURVEYOR")
        socket.connect(address)
    return sockets[0], sockets, lambda socket: socket.receive()


def respondents(library, transport):
    """Each survey is received by one context, which responds to its surveyor; several have one at the same time."""
    socket, contexts = opened("NN_RESPONDENT", transport)
    others = threading.Barrier(AT_ONCE)
    threads = [threading.Thread(target=answer, args=[context, b"heard: ", others]) for context in contexts]
    events = socket.events()
    parent, surveys, receive = questions(library, socket.address())
    for _ in range(1 if library == "pynng" else CONTEXTS):
        events.wait_for("ACCEPTED")
    for thread in threads:
        thread.start()
    for turn in range(ROUNDS):
        for start in range(0, CONTEXTS, AT_ONCE):
            numbers = range(start, start + AT_ONCE)
            for number in numbers:
                surveys[number].send(f"{number}, {turn}".encode())
            for number in numbers:
                response = f"heard: {number}, {turn}".encode()
                check_equal(receive(surveys[number]), response, f"the response to surveyor {number}")
    check_equal(socket.statistic("MESSAGES_RECEIVED"), CONTEXTS * ROUNDS, "surveys")
    check_equal(socket.statistic("MESSAGES_SENT"), CONTEXTS * ROUNDS, "responses")
    close_all(surveys)
    if library == "pynng":
        parent.close()
    close_all(contexts)
    for thread in threads:
        thread.join()


run({"subscribers": subscribers, "surveyors": surveyors, "respondents": respondents})
