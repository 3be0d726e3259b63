"""A pair of connected sockets: this library's nanocat is given the descriptor of one, the package pynng that of the other.

    handing.py NANOCAT pair|req|rep|push|pull

The last argument is the role of nanocat. The status is 0 if each side has received what the other one has sent.
"""

import socket
import subprocess
import sys

import pynng

LIMIT_MS = 20000
# The role of pynng, the options of nanocat, and what nanocat prints.
ROLES = {
    "pair": (pynng.Pair0, "--data=hello --ascii --count=1", b"answer\n"),
    "req": (pynng.Rep0, "--data=hello --ascii --count=1", b"answer\n"),
    "rep": (pynng.Req0, "--data=hello --ascii --count=1", b"answer\n"),
    "push": (pynng.Pull0, "--data=hello", b""),
    "pull": (pynng.Push0, "--ascii --count=1", b"answer\n"),
}


def hand_over(peer, descriptor):
    """Gives pynng a connected socket, which nng takes as a peer that has connected to `socket://`."""
    listener = peer.listen("socket://")
    pynng.nng.check_err(pynng.lib.nng_listener_set_int(listener.listener, b"socket:fd", descriptor))


def main():
    nanocat, role = sys.argv[1:]
    kind, options, printed = ROLES[role]
    ours, theirs = socket.socketpair()
    with kind(recv_timeout=LIMIT_MS, send_timeout=LIMIT_MS) as peer:
        hand_over(peer, theirs.detach())
        command = [nanocat, f"--{role}", "--connect", f"socket://{ours.fileno()}", *options.split()]
        program = subprocess.Popen(command, pass_fds=[ours.fileno()], stdout=subprocess.PIPE)
        ours.close()
        # A requester and a PUSH speak first.
        if role in ("rep", "pull"):
            peer.send(b"answer")
        if role != "pull" and (received := peer.recv()) != b"hello":
            sys.exit(f"pynng received {received}")
        if role in ("pair", "req"):
            peer.send(b"answer")
        output, _ = program.communicate(timeout=LIMIT_MS / 1000)
        if (program.returncode, output) != (0, printed):
            sys.exit(f"nanocat printed {output}, status {program.returncode}")


main()
