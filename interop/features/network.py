"""Options of TCP: as the system has them, and what they do when the network fails.

    network.py options pynng|libnanomsg tcp|ws
    network.py user_timeout|keepalive nngcat|libnanomsg

`options` reads back the options of the connections that this library accepts and makes. The others need root: the peer, a program,
is in a network namespace of its own, whose link is set down.
"""

import fcntl
import os
import re
import socket as system
import subprocess
import sys
import termios

from nanomsg import ours
from peers import check, check_equal, open_peer, own_place, run, running, wait_until

# The options by their names in the system, with values that no system has as default.
WANTED = {
    "SO_KEEPALIVE": ("NN_TCP_KEEPALIVE", 1),
    "TCP_KEEPIDLE": ("NN_TCP_KEEPALIVE_IDLE", 3333),
    "TCP_KEEPINTVL": ("NN_TCP_KEEPALIVE_INTVL", 44),
    "TCP_KEEPCNT": ("NN_TCP_KEEPALIVE_CNT", 5),
    "TCP_USER_TIMEOUT": ("NN_TCP_USER_TIMEOUT", 66666),
}
OUR_ADDRESS, PEER_ADDRESS = "10.77.0.1", "10.77.0.2"


def descriptor_of(local_port, remote_port):
    """A duplicate of the descriptor of this process that has these ports."""
    for name in os.listdir("/proc/self/fd"):
        try:
            descriptor = system.socket(fileno=os.dup(int(name)))
        except OSError:
            continue
        try:
            if (descriptor.getsockname()[1], descriptor.getpeername()[1]) == (local_port, remote_port):
                return descriptor
        except (OSError, IndexError):
            pass
        descriptor.close()
    raise AssertionError("there is no such connection")


def option_of(descriptor, option):
    level = system.SOL_SOCKET if option == "SO_KEEPALIVE" else system.IPPROTO_TCP
    return descriptor.getsockopt(level, getattr(system, option))


def unacknowledged(descriptor):
    """The number of bytes that the peer's system has not acknowledged."""
    return int.from_bytes(fcntl.ioctl(descriptor, termios.TIOCOUTQ, bytes(4)), sys.byteorder)


def ports_of(event):
    """The port of this side, and that of the peer."""
    return [int(event.properties[name].rpartition(":")[2]) for name in ("local", "peer")]


def check_options(events, kind):
    local, remote = ports_of(events.wait_for(kind))
    with descriptor_of(local, remote) as descriptor:
        for option, (_, value) in WANTED.items():
            check_equal(option_of(descriptor, option), value, f"{option} of the connection that was {kind}")
    command = ["ss", "--tcp", "--numeric", "--no-header", "--options", f"sport = :{local} and dport = :{remote}"]
    line = subprocess.run(command, check=True, capture_output=True, text=True).stdout
    check(re.search(r"timer:\(keepalive,5\dmin", line), f"ss shows the time to the first probe: {line}")


def options(library, transport):
    """Of a connection that this side accepts, and of one that it makes."""
    with ours().socket("NN_PULL") as socket, open_peer(library, "NN_PUSH") as connects:
        for name, value in WANTED.values():
            socket.set(name, value, "NN_TCP")
        events = socket.events()
        socket.bind(f"{transport}://127.0.0.1:0")
        connects.connect(socket.address())
        check_options(events, "ACCEPTED")
        with open_peer(library, "NN_PUSH") as binds:
            address = f"{transport}://{own_place()}"
            binds.bind(address)
            socket.connect(address)
            check_options(events, "CONNECTED")


def ip(*arguments, process=None):
    """Runs ip, in the network of a process."""
    inside = ["nsenter", f"--target={process}", "--net"] if process else []
    subprocess.run([*inside, "ip", *arguments], check=True)


def in_own_network(check_name, program):
    """Calls this program again in a network namespace, which ends with it."""
    if os.environ.get("INTEROP_NETWORK"):
        return False
    command = ["unshare", "--net", sys.executable, sys.argv[0], check_name, program]
    sys.exit(subprocess.run(command, check=False, env={**os.environ, "INTEROP_NETWORK": "1"}).returncode)


def link_down(program, options, sends):
    """The peer's network goes while the connection is up: it ends with ETIMEDOUT."""
    name = {"nngcat": "nngcat", "libnanomsg": "/usr/bin/nanocat"}[program]
    address = f"tcp://{PEER_ADDRESS}:5555"
    waiting = ["unshare", "--net", "sh", "-c", f"echo ready; read go; exec {name} --pull --bind {address} --raw"]
    with running(waiting, stdin=subprocess.PIPE, stdout=subprocess.PIPE) as peer:
        check_equal(peer.stdout.readline(), b"ready\n", "the peer is in its network")
        ip("link", "add", "ours", "type", "veth", "peer", "name", "theirs", "netns", str(peer.pid))
        ip("address", "add", f"{OUR_ADDRESS}/24", "dev", "ours")
        ip("link", "set", "ours", "up")
        ip("address", "add", f"{PEER_ADDRESS}/24", "dev", "theirs", process=peer.pid)
        ip("link", "set", "theirs", "up", process=peer.pid)
        peer.stdin.write(b"go\n")
        peer.stdin.flush()
        with ours().socket("NN_PUSH", RECONNECT_IVL=20) as socket:
            for option, value in options.items():
                socket.set(option, value, "NN_TCP")
            events = socket.events()
            socket.connect(address)
            with descriptor_of(*ports_of(events.wait_for("CONNECTED"))) as descriptor:
                socket.send(b"message")
                check_equal(os.read(peer.stdout.fileno(), 7), b"message", "what the peer prints")
                wait_until(lambda: unacknowledged(descriptor) == 0, "the message is acknowledged")
            ip("link", "set", "theirs", "down", process=peer.pid)
            if sends:
                socket.send(b"lost")
            event = events.wait_for("DISCONNECTED")
            check_equal((event.reason, event.error), ("NETWORK", "ETIMEDOUT"), "the end")


def user_timeout(program):
    """A message stays unacknowledged for so long."""
    if not in_own_network("user_timeout", program):
        link_down(program, {"NN_TCP_USER_TIMEOUT": 300}, sends=True)


def keepalive(program):
    """No message is sent, and no probe is answered."""
    if not in_own_network("keepalive", program):
        options = ["KEEPALIVE", "KEEPALIVE_IDLE", "KEEPALIVE_INTVL", "KEEPALIVE_CNT"]
        link_down(program, {f"NN_TCP_{option}": 1 for option in options}, sends=False)


run({"options": options, "user_timeout": user_timeout, "keepalive": keepalive})
