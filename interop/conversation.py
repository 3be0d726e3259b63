"""The Python package pynng, which has nng 1.11 with TLS 1.3, in a conversation, with the arguments of conversation.c, which
describes it:

    conversation.py ROLE binary [ADDRESS]

The certificates are in the variables of our library.
"""

import os
import select
import sys

import pynng

LIMIT_MS = 20000
# The time to wait for an answer before "hello" is sent again.
GREETING_MS = 20
SIZES = [0, 1, 125, 126, 2048, 2049, 65535, 65536, 100000, 3000000]
BURST, BURST_SIZE, ANSWERS = 10, 100, 7
PORTS = 40
LETTERS = bytes(range(ord("a"), ord("a") + 23))


def message(number, size):
    """The content of a message, which identifies it."""
    start = (size + number) % 23
    return (LETTERS * (size // 23 + 2))[start : start + size]


def is_told(timeout):
    """Whether the other side has written something within so many milliseconds."""
    if not select.select([0], [], [], timeout / 1000)[0]:
        return False
    if os.read(0, 1) != b"+":
        sys.exit("the other side has gone")
    return True


def told():
    if not is_told(LIMIT_MS):
        sys.exit("the other side tells nothing")


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


def greet(socket, patience):
    """Sends "hello" until it is answered within `patience` milliseconds.

    They grow: an answer to the survey before does not count.
    """
    while True:
        socket.recv_timeout = patience
        socket.send(b"hello")
        try:
            check(receive(socket), b"hello")
            break
        except pynng.Timeout:
            if patience >= LIMIT_MS:
                raise
        patience *= 2
    socket.recv_timeout = LIMIT_MS


def ask(socket, patience):
    greet(socket, patience)
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


def send_all(socket, timeout):
    socket.send(b"hello")
    while not is_told(timeout):
        if timeout == LIMIT_MS:
            sys.exit("the other side tells nothing")
        socket.send(b"hello")
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


def listen(socket, wanted):
    """Binds, to a later port if that of the address is taken, and writes the address for the other side."""
    host, _, port = wanted.rpartition(":")
    addresses = [f"{host}:{int(port) + offset}" for offset in range(PORTS)] if port.isdigit() else [wanted]
    for address in addresses:
        try:
            socket.listen(address)
        except pynng.AddressInUse:
            continue
        os.write(1, address.encode() + b"\n")
        return
    sys.exit(f"{wanted}: the address is taken")


def read_address():
    address = b""
    while not address.endswith(b"\n"):
        address += os.read(0, 1) or sys.exit("the other side has gone")
    return address.decode().strip()


def is_secure(address):
    return address.startswith(("tls+tcp", "wss"))


def set_tls(socket, address, is_server):
    if not is_secure(address):
        return
    if is_server:
        own = read("NN_TLS_CERT_FILE")
        config = pynng.TLSConfig(pynng.TLSConfig.MODE_SERVER, own_cert_string=own, own_key_string=own)
    else:
        config = pynng.TLSConfig(
            pynng.TLSConfig.MODE_CLIENT,
            ca_string=read("NN_TLS_CA_FILE"),
            server_name=os.environ["NN_TLS_SERVER_NAME"],
        )
    socket.tls_config = config


def main():
    role, kind, *wanted = sys.argv[1:]
    if kind != "binary":
        sys.exit("pynng sends no texts")
    protocols = {
        "pair": pynng.Pair0,
        "pair1": pynng.Pair1,
        "req": pynng.Req0,
        "rep": pynng.Rep0,
        "push": pynng.Push0,
        "pull": pynng.Pull0,
        "pub": pynng.Pub0,
        "sub": pynng.Sub0,
        "surveyor": pynng.Surveyor0,
        "respondent": pynng.Respondent0,
        "bus": pynng.Bus0,
    }
    is_pair = role.startswith("pair")
    with protocols[role](recv_timeout=LIMIT_MS, send_timeout=LIMIT_MS, recv_max_size=0) as socket:
        if role == "sub":
            socket.subscribe(b"")
        if role == "surveyor":
            socket.survey_time = LIMIT_MS
        address = wanted[0] if wanted else read_address()
        set_tls(socket, address, bool(wanted))
        if wanted:
            listen(socket, address)
        else:
            socket.dial(address)
        # A publisher cannot see whether a subscriber is connected.
        if role == "req" or (is_pair and wanted):
            ask(socket, LIMIT_MS)
        elif role == "surveyor" or (role == "bus" and wanted):
            ask(socket, GREETING_MS)
        elif role in ("push", "pub"):
            send_all(socket, LIMIT_MS if role == "push" else GREETING_MS)
        elif role in ("pull", "sub"):
            receive_all(socket)
        else:
            answer(socket)
        # Closing over TLS, nng 1.11 sometimes panics in a thread of its own. All messages have been delivered.
        if is_secure(address):
            os._exit(0)


main()
