"""Rules for peers: which users and which networks may connect.

    admission.py user|group|permissions PROGRAM
    admission.py sources tcp|ws
    admission.py networks tcp|ws

PROGRAM is Debian's nanocat or nngcat. The first three need root, and run it as another user too.
"""

import os
import stat
import subprocess

from nanomsg import ours
from peers import OTHER_GID, OTHER_UID, PynngSocket, as_other_user, check, check_equal, open_folder, run, running


def sending(program, address):
    """A command that sends messages until it is killed."""
    command = [program, "--push", "--connect", address, "--data", "message", "--interval", "1"]
    # nngcat ends if it is disconnected at its first attempt.
    return [*command, "--async"] if program == "nngcat" else command


def expect_served(socket, events, command):
    with running(command):
        events.wait_for("ACCEPTED")
        check_equal(socket.receive(), b"message", "the message of the right peer")


def expect_refused(socket, events, command):
    with running(command, stderr=subprocess.DEVNULL):
        check_equal(events.wait_for("REFUSED").reason, "RULE", "the reason")
    check(not socket.has_message(), "nothing of a refused peer arrives")
    check(socket.statistic("REFUSED_CONNECTIONS") > 0, "refused connections are counted")


def of_user(option, value, program):
    with ours().socket("NN_PULL") as socket, open_folder() as folder:
        address = f"ipc://{folder}/listener"
        socket.set(option, value, "NN_IPC")
        socket.set("NN_IPC_PERMISSIONS", 0o666, "NN_IPC")
        socket.bind(address)
        events = socket.events()
        expect_refused(socket, events, sending(program, address))
        expect_served(socket, events, as_other_user(sending(program, address)))


def user(program):
    """Only the user with the id is served."""
    of_user("NN_IPC_PEER_UID", OTHER_UID, program)


def group(program):
    """Only the group with the id is served."""
    of_user("NN_IPC_PEER_GID", OTHER_GID, program)


def permissions(program):
    """Only the owner of the file can connect, unless others may write to it."""
    with ours().socket("NN_PULL") as socket, open_folder() as folder:
        events = socket.events()
        for mode in (0o600, 0o666):
            path = f"{folder}/{mode:o}"
            address = f"ipc://{path}"
            socket.set("NN_IPC_PERMISSIONS", mode, "NN_IPC")
            socket.bind(address)
            check_equal(stat.S_IMODE(os.stat(path).st_mode), mode, "the mode of the file")
            expect_served(socket, events, sending(program, address))
        expect_served(socket, events, as_other_user(sending(program, address)))
        expect_no_permission(program, f"ipc://{folder}/600")
        check_equal(socket.statistic("ACCEPTED_CONNECTIONS"), 3, "accepted connections")


def expect_no_permission(program, address):
    """The program says so: the C library in the background, nngcat as it ends."""
    command = as_other_user(sending(program, address))
    environment = {**os.environ, "NN_PRINT_ERRORS": "1"}
    if program == "nngcat":
        command.remove("--async")
    with running(command, stderr=subprocess.PIPE, env=environment) as peer:
        line = peer.stderr.readline()
    check("permission denied" in line.decode().lower(), f"{line} says why")


def sources(transport):
    """By libnanomsg, which connects from a given address."""
    with ours().socket("NN_PULL") as socket:
        socket.set("NN_TCP_ACCEPT", "127.0.0.1", "NN_TCP")
        socket.bind(f"{transport}://127.0.0.1:0")
        events = socket.events()
        place = socket.address().partition("://")[2]
        for source in ("127.0.0.2", "127.0.0.1"):
            expect = expect_served if source == "127.0.0.1" else expect_refused
            expect(socket, events, sending("/usr/bin/nanocat", f"{transport}://{source};{place}"))
        check_equal(socket.statistic("ACCEPTED_CONNECTIONS"), 1, "accepted connections")


def networks(transport):
    """By pynng, whose only address one rule excludes and another has."""
    with ours().socket("NN_PULL") as socket, PynngSocket("NN_PUSH") as peer:
        events = socket.events()
        socket.set("NN_TCP_ACCEPT", "127.0.0.2, 10.0.0.0/8", "NN_TCP")
        socket.bind(f"{transport}://127.0.0.1:0")
        peer.socket.dial(socket.address(), block=False)
        check_equal(events.wait_for("REFUSED").reason, "RULE", "the reason")
        socket.set("NN_TCP_ACCEPT", "::1, 127.0.0.0/31", "NN_TCP")
        socket.bind(f"{transport}://127.0.0.1:0")
        peer.connect(socket.address())
        peer.send(b"message")
        check_equal(socket.receive(), b"message", "the message")
        check_equal(socket.statistic("ACCEPTED_CONNECTIONS"), 1, "accepted connections")


run({"user": user, "group": group, "permissions": permissions, "sources": sources, "networks": networks})
