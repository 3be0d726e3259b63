"""What this library tells of a peer (NN_PEER_INFO), and that it sends one of two away (NN_PIPE_CLOSE):

    identity.py addresses|request|pipe_close pynng|libnanomsg
    identity.py credentials PROGRAM
    identity.py of_pynng|of_nngcat tls+tcp|wss
"""

import hashlib
import ssl
import struct

from nanomsg import ours
from peers import OTHER_GID, OTHER_UID, PynngSocket, as_other_user, certificate, check, check_equal
from peers import client_config, open_folder, open_peer, read, run, running


def pull(**options):
    return ours().socket("NN_PULL", PEER_INFO=1, **options)


def addresses(library):
    """Over tcp, both ends as the peer has them."""
    with pull() as socket, open_peer(library, "NN_PUSH") as peer:
        endpoint = socket.bind("tcp://127.0.0.1:0")
        events = socket.events()
        peer.connect(socket.address())
        accepted = events.wait_for("ACCEPTED")
        peer.send(b"message")
        message, facts = socket.receive_described()
        check_equal(message, b"message", "the message")
        check_equal(facts.text("LOCAL"), socket.address(), "this side's address")
        check_equal(facts.text("PEER"), accepted.properties["peer"], "the address in the event")
        check_equal(facts.pipe(), accepted.pipe, "the connection in the event")
        check_equal(struct.unpack_from("=i", facts["ENDPOINT"])[0], endpoint, "the endpoint")
        port = int(facts.text("PEER").rpartition(":")[2])
        # The system's own list of connections.
        bound = int(socket.address().rpartition(":")[2])
        check((port, bound) in connections(), "the system has this connection")


def connections():
    """The local and the remote port of each connection over IPv4."""
    with open("/proc/self/net/tcp", encoding="ascii") as file:
        lines = [line.split() for line in file.readlines()[1:]]
    return {tuple(int(end.split(":")[1], 16) for end in line[1:3]) for line in lines}


def credentials(program):
    """Over ipc, the process, the user and the group of a program of another user: Debian's nanocat, or nngcat."""
    with pull() as socket, open_folder() as folder:
        address = f"ipc://{folder}/listener"
        socket.set("NN_IPC_PERMISSIONS", 0o666, "NN_IPC")
        socket.bind(address)
        command = [program, "--push", "--connect", address, "--data", "message", "--interval", "1"]
        with running(as_other_user(command)) as peer:
            message, facts = socket.receive_described()
            check_equal(message, b"message", "the message")
            check_equal(facts.credentials(), (peer.pid, OTHER_UID, OTHER_GID), "pid, uid and gid")
            check_equal(facts.text("PEER"), "ipc://", "the address of a client over ipc")


def secure_pull():
    """A socket that asks for certificates."""
    socket = pull()
    socket.set("NN_TLS_CERT_FILE", certificate("server"), "NN_TLS")
    socket.set("NN_TLS_CA_FILE", certificate("ca"), "NN_TLS")
    socket.set("NN_TLS_AUTH", 2, "NN_TLS")
    return socket


def check_certificate(facts, version):
    lines = facts.text("TLS_PEER").splitlines()
    encoded = ssl.PEM_cert_to_DER_cert(first_certificate(read(certificate("client"))))
    wanted = [
        *("verified=1", f"version={version}", "subject=CN=client"),
        *("name=DNS:client", "name=URI:spiffe://test/client", f"sha256={hashlib.sha256(encoded).hexdigest()}"),
    ]
    check_equal(lines, wanted, "what the certificate says")


def first_certificate(text):
    end = "-----END CERTIFICATE-----"
    start = text.index("-----BEGIN CERTIFICATE-----")
    return text[start : text.index(end) + len(end)] + "\n"


def of_pynng(transport):
    """The certificate of a client of pynng, over TLS 1.3."""
    with secure_pull() as socket, PynngSocket("NN_PUSH") as peer:
        socket.bind(f"{transport}://127.0.0.1:0")
        peer.socket.tls_config = client_config("client")
        peer.connect(socket.address())
        peer.send(b"message")
        message, facts = socket.receive_described()
        check_equal(message, b"message", "the message")
        check_certificate(facts, "1.3")


def of_nngcat(transport):
    """The certificate of nngcat, over TLS 1.2."""
    with secure_pull() as socket:
        socket.bind(f"{transport}://127.0.0.1:0")
        address = socket.address().replace("127.0.0.1", "localhost")
        command = ["nngcat", "--push", "--connect", address, "--data", "message", "--interval", "1", "--async"]
        command += ["--cacert", certificate("ca"), "--cert", certificate("client"), "--key", certificate("client")]
        with running(command):
            message, facts = socket.receive_described()
            check_equal(message, b"message", "the message")
            check_certificate(facts, "1.2")


def request(library):
    """What a client of ws has requested."""
    with pull() as socket, open_peer(library, "NN_PUSH") as peer:
        socket.bind("ws://127.0.0.1:0")
        peer.connect(f"{socket.address()}/path/of?the=client")
        peer.send(b"message")
        message, facts = socket.receive_described()
        check_equal(message, b"message", "the message")
        check_equal(facts.text("WS_URI"), "/path/of?the=client", "the request")


def pipe_close(library):
    """One of two peers is sent away, and the other one stays."""
    with pull() as socket, open_peer(library, "NN_PUSH") as stays, open_peer(library, "NN_PUSH") as goes:
        socket.bind("tcp://127.0.0.1:0")
        events = socket.events()
        pipes = {}
        for text, peer in ((b"stays", stays), (b"goes", goes)):
            peer.connect(socket.address())
            events.wait_for("ACCEPTED")
            peer.send(text)
            message, facts = socket.receive_described()
            check_equal(message, text, "the message")
            pipes[text] = facts.pipe()
        socket.set("PIPE_CLOSE", struct.pack("=Q", pipes[b"goes"]))
        event = events.wait_for("DISCONNECTED")
        check_equal((event.pipe, event.reason), (pipes[b"goes"], "LOCAL"), "the connection that has ended")
        # Both libraries connect again.
        check(events.wait_for("ACCEPTED").pipe not in pipes.values(), "the peer has a new connection")
        stays.send(b"again")
        message, facts = socket.receive_described()
        check_equal((message, facts.pipe()), (b"again", pipes[b"stays"]), "the message of the one that stays")


run(
    {
        "addresses": addresses,
        "credentials": credentials,
        "of_pynng": of_pynng,
        "of_nngcat": of_nngcat,
        "request": request,
        "pipe_close": pipe_close,
    }
)
