"""Sockets of this library and openssl's commands, with the certificates of the tests."""

import atexit
import contextlib
import os
import subprocess

from nanomsg import ours
from peers import certificate, own_place, wait_until

# The greetings of sockets.
PULL_GREETING, PUSH_GREETING = b"\0SP\0\0\x51\0\0", b"\0SP\0\0\x50\0\0"


class Printed:
    """What is written on standard error, which is a file from now on, with the errors of sockets that are opened then."""

    def __init__(self):
        self.path = "errors.txt"
        os.environ["NN_PRINT_ERRORS"] = "1"
        self.before = os.dup(2)
        with open(self.path, "wb") as file:
            os.dup2(file.fileno(), 2)
        atexit.register(self.show)

    def wait_for(self, words):
        """Waits until a line has these words, and ends this."""
        wait_until(lambda: words in self.read(), f"{words} is printed")
        os.dup2(self.before, 2)

    def show(self):
        """Writes it where it would have been written."""
        os.write(self.before, self.read().encode())

    def read(self):
        with open(self.path, encoding="utf-8") as file:
            return file.read()


def server(transport, authority=None, **options):
    """A bound PULL socket, its address, and its events. With an authority it asks for certificates. `options`: of NN_TLS."""
    socket = ours().socket("NN_PULL")
    for option, value in options.items():
        socket.set(option, value, "NN_TLS")
    socket.set("NN_TLS_CERT_FILE", certificate("server"), "NN_TLS")
    if authority:
        socket.set("NN_TLS_CA_FILE", certificate(authority), "NN_TLS")
        socket.set("NN_TLS_AUTH", 2, "NN_TLS")
    events = socket.events()
    socket.bind(f"{transport}://127.0.0.1:0")
    return socket, socket.address().replace("127.0.0.1", "localhost"), events


def client(authority="ca"):
    """A PUSH socket that trusts an authority, if there is one, and its events."""
    socket = ours().socket("NN_PUSH", RECONNECT_IVL=20)
    if authority:
        socket.set("NN_TLS_CA_FILE", certificate(authority), "NN_TLS")
    socket.set("NN_TLS_SERVER_NAME", "localhost", "NN_TLS")
    return socket, socket.events()


@contextlib.contextmanager
def openssl_server(name, *options):
    """`openssl s_server` with one of the certificates: the process, and its address. Its output is in server.txt."""
    place = own_place()
    command = ["openssl", "s_server", "-accept", place, "-cert", certificate(name), *options]
    with openssl(command, "server.txt") as process:
        yield process, f"tls+tcp://{place}"


@contextlib.contextmanager
def openssl_client(address, *options):
    """`openssl s_client`, which trusts the CA: the process. Its output is in client.txt."""
    place = address.rpartition("/")[2]
    command = ["openssl", "s_client", "-connect", place, "-CAfile", certificate("ca"), *options]
    with openssl(command, "client.txt") as process:
        yield process


@contextlib.contextmanager
def openssl(command, output):
    """A command whose input is a pipe, and which is killed at the end of the block."""
    with open(output, "wb") as file:
        process = subprocess.Popen(command, stdin=subprocess.PIPE, stdout=file, stderr=subprocess.STDOUT)
    with process:
        try:
            yield process
        finally:
            process.kill()


def say(process, message):
    """Writes to the input of a process."""
    process.stdin.write(message)
    process.stdin.flush()


def has_output(path, words, count=1):
    """Whether the output of a command has the words so often."""
    with open(path, "rb") as file:
        return file.read().count(words.encode()) >= count


def wait_for_output(path, words, count=1):
    """Waits until the output of a command has the words so often."""
    wait_until(lambda: has_output(path, words, count), f"{path} has {words}")
