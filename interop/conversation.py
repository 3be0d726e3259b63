"""The Python package pynng in a conversation, with the arguments of conversation.c, which describes it:

    conversation.py pair|pair1 binary [ADDRESS]
"""

import sys

import pynng

SIZES = [0, 1, 125, 126, 65535, 65536, 100000, 3000000]
ANSWERS = 7  # The answer to the first message has this number.
LIMIT_MS = 20000
PORTS = 40


def letters(number, size):
    """The content of a message, which identifies it."""
    period = bytes(97 + (place + size + number) % 23 for place in range(23))
    return (period * (size // 23 + 1))[:size]


def receive(socket):
    # Socket.recv fails for an empty message.
    return bytes(socket.recv_msg().bytes)


def ask(socket):
    def exchange(message, answer):
        socket.send(message)
        if receive(socket) != answer:
            sys.exit(f"the answer to a message of {len(message)} bytes is wrong")

    exchange(b"hello", b"hello")
    for number, size in enumerate(SIZES):
        exchange(letters(number, size), letters(ANSWERS + number, size))
    exchange(b"end", b"end")
    socket.send(b"bye")


def answer(socket):
    number = 0
    while (message := receive(socket)) != b"bye":
        if message in (b"hello", b"end"):
            socket.send(message)
            continue
        if message != letters(number, len(message)):
            sys.exit(f"not message {number}")
        socket.send(letters(ANSWERS + number, len(message)))
        number += 1
    if number == 0:
        sys.exit("nothing was asked")


def listen(socket, wanted):
    """Binds, to a later port if that of the address is taken, and writes the address for the other side."""
    host, colon, port = wanted.rpartition(":")
    addresses = [f"{host}:{int(port) + offset}" for offset in range(PORTS)] if port.isdigit() else [wanted]
    for address in addresses:
        try:
            socket.listen(address)
        except pynng.AddressInUse:
            continue
        print(address, flush=True)
        return
    sys.exit(f"{wanted}: the address is taken")


def main():
    role, kind, *wanted = sys.argv[1:]
    if kind != "binary":
        sys.exit("pynng sends no texts")
    protocols = {"pair": pynng.Pair0, "pair1": pynng.Pair1}
    with protocols[role](send_timeout=LIMIT_MS, recv_timeout=LIMIT_MS, recv_max_size=0) as socket:
        if wanted:
            listen(socket, wanted[0])
            ask(socket)
            # The other side ends when it has received everything.
            if sys.stdin.read():
                sys.exit("the other side tells something")
        else:
            socket.dial(sys.stdin.readline().strip())
            answer(socket)


main()
