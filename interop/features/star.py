"""STAR between processes of this library; no other library of those here has the pattern:

    star.py hub|device TRANSPORT

The same program is called for each process: `member ADDRESS`, `bound ADDRESS`, or `forward ADDRESS ADDRESS`.
"""

import contextlib
import subprocess
import sys

from nanomsg import AF_SP_RAW, NanomsgError, ours
from peers import check_equal, own_place, run

# The number of sockets that send and receive.
MEMBERS = 3


def member(address):
    """A socket that connects, and does what the lines of stdin say."""
    with ours().socket("NN_STAR", CONNECT_TIMEO=20000) as socket:
        socket.connect(address)
        follow(socket)


def bound(address):
    """The same for one that binds."""
    with ours().socket("NN_STAR") as socket:
        events = socket.events()
        socket.bind(address)
        print("ready", flush=True)
        for _ in range(MEMBERS - 1):
            events.wait_for("ACCEPTED")
        follow(socket)


def follow(socket):
    """send TEXT; receive; rest: whether a message is left."""
    print("connected", flush=True)
    for line in sys.stdin:
        command, _, text = line.strip().partition(" ")
        if command == "send":
            socket.send(text.encode())
        elif command == "receive":
            print(socket.receive().decode(), flush=True)
        else:
            print(1 if socket.has_message() else 0, flush=True)


def forward(one, other):
    """A device between two bound sockets, until it is killed."""
    library = ours()
    with library.socket("NN_STAR", AF_SP_RAW) as first, library.socket("NN_STAR", AF_SP_RAW) as second:
        events = [first.events(), second.events()]
        first.bind(one)
        second.bind(other)
        print("ready", flush=True)
        for side in (1, 0, 0):
            events[side].wait_for("ACCEPTED")
        print("connected", flush=True)
        with contextlib.suppress(NanomsgError):
            library.must("nn_device", first.number, second.number)


class Process:
    """A process of this program."""

    def __init__(self, *arguments):
        command = [sys.executable, sys.argv[0], *arguments]
        self.process = subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)

    def read(self):
        return self.process.stdout.readline().strip()

    def expect(self, word):
        check_equal(self.read(), word, "what the process says")
        return self

    def tell(self, line):
        self.process.stdin.write(f"{line}\n")
        self.process.stdin.flush()

    def ask(self, line):
        self.tell(line)
        return self.read()

    def close(self):
        self.process.kill()
        self.process.wait()


def addresses_of(transport):
    """Two addresses."""
    return [
        f"ipc://{place}.ipc" if transport == "ipc" else f"{transport}://{own_place(place)}" for place in range(2)
    ]


def check_all_hear_all(processes):
    """Each message is received by all others, once."""
    for turn in range(20):
        for number, sender in enumerate(processes):
            text = f"{number} in turn {turn}"
            sender.tell(f"send {text}")
            for other in processes:
                if other is not sender:
                    check_equal(other.ask("receive"), text, "the message")
    check_equal([process.ask("rest") for process in processes], ["0"] * len(processes), "messages left")


def opened(stack, *arguments):
    """A process that ends with the stack."""
    process = Process(*arguments)
    stack.callback(process.close)
    return process


def hub(transport):
    """A socket that binds, and others that connect to it."""
    address = addresses_of(transport)[0]
    with contextlib.ExitStack() as stack:
        processes = [opened(stack, "bound", address).expect("ready")]
        processes += [opened(stack, "member", address) for _ in range(MEMBERS - 1)]
        check_all_hear_all([process.expect("connected") for process in processes])


def device(transport):
    """Two sockets at one side of a device, and one at the other."""
    left, right = addresses_of(transport)
    with contextlib.ExitStack() as stack:
        between = opened(stack, "forward", left, right).expect("ready")
        processes = [opened(stack, "member", address).expect("connected") for address in (right, left, left)]
        between.expect("connected")
        check_all_hear_all(processes)


run({"hub": hub, "device": device, "member": member, "bound": bound, "forward": forward})
