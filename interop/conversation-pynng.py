"""The package pynng, which has nng 1.11 with TLS 1.3, in a conversation, with the arguments of conversation.c:

    conversation-pynng.py pair|req|rep|push|pull binary [ADDRESS]

The certificates are in the variables of our library.
"""

import os
import sys

import pynng

LIMIT_MS = 20000
SIZES = [0, 1, 125, 126, 2048, 2049, 65535, 65536, 100000, 3000000]
BURST, BURST_SIZE, ANSWERS = 10, 100, 7
LETTERS = bytes(range(ord("a"), ord("a") + 23))


def message(number, size):
    """The content of a message, which identifies it."""
    start = (size + number) % 23
    return (LETTERS * (size // 23 + 2))[start : start + size]


def told():
    if os.read(0, 1) != b"+":
        sys.exit("the other side has gone")


def tell():
    os.write(1, b"+")


def receive(socket):
    """The next message. pynng's own method fails for an empty one."""
    return socket.recv_msg().bytes


def next_message(socket):
    """The next message that is not a repeated greeting."""
    while (received := receive(socket)) == b"hello":
        pass
    return received


def check(received, wanted):
    if received != wanted:
        sys.exit(f"not {len(wanted)} bytes but {len(received)} bytes: {received[:100]}")


def ask(socket):
    socket.send(b"hello")
    check(receive(socket), b"hello")
    for number, size in enumerate(SIZES):
        socket.send(message(number, size))
        check(next_message(socket), message(ANSWERS + number, size))
    socket.send(b"end")
    check(next_message(socket), b"end")
    socket.send(b"bye")
    if os.read(0, 1):
        sys.exit("the other side does not go")


def answer(socket):
    number = 0
    while (received := receive(socket)) != b"bye":
        if received in (b"hello", b"end"):
            socket.send(received)
            continue
        check(received, message(number, len(received)))
        socket.send(message(ANSWERS + number, len(received)))
        number += 1
    if number == 0:
        sys.exit("nothing was asked")


def send_all(socket):
    socket.send(b"hello")
    told()
    for number, size in enumerate(SIZES):
        socket.send(message(number, size))
        told()
    for number in range(BURST):
        socket.send(message(len(SIZES) + number, BURST_SIZE))
    for _ in range(BURST):
        told()


def receive_all(socket):
    check(receive(socket), b"hello")
    tell()
    for number, size in enumerate(SIZES + [BURST_SIZE] * BURST):
        check(next_message(socket), message(number, size))
        tell()


def read(variable):
    with open(os.environ[variable], encoding="ascii") as file:
        return file.read()


def main():
    role, _kind, *wanted = sys.argv[1:]
    protocols = {"pair": pynng.Pair0, "req": pynng.Req0, "rep": pynng.Rep0, "push": pynng.Push0, "pull": pynng.Pull0}
    socket = protocols[role](recv_timeout=LIMIT_MS, send_timeout=LIMIT_MS)
    socket.recv_max_size = 0
    if wanted:
        own = read("NN_TLS_CERT_FILE")
        socket.tls_config = pynng.TLSConfig(
            pynng.TLSConfig.MODE_SERVER, own_cert_string=own, own_key_string=own
        )
        socket.listen(wanted[0])
        os.write(1, wanted[0].encode() + b"\n")
    else:
        address = b""
        while not address.endswith(b"\n"):
            address += os.read(0, 1) or sys.exit("the other side has gone")
        socket.tls_config = pynng.TLSConfig(
            pynng.TLSConfig.MODE_CLIENT,
            ca_string=read("NN_TLS_CA_FILE"),
            server_name=os.environ["NN_TLS_SERVER_NAME"],
        )
        socket.dial(address.decode().strip())
    if role == "req" or (role == "pair" and wanted):
        ask(socket)
    elif role in ("rep", "pair"):
        answer(socket)
    elif role == "push":
        send_all(socket)
    else:
        receive_all(socket)
    socket.close()


main()
