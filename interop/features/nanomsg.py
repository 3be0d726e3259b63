"""The C interface of libnanomsg for the programs of this folder: of this library, and of the C library.

The numbers of constants are those that the library itself names (nn_symbol), and those of <nanomsg/ext.h>. These variables are
set: INTEROP_PREFIX, the folder in which this library is installed, and INTEROP_REFERENCE, the file of the C library.
"""

import ctypes
import os
import re
import struct

LIMIT_MS = 20000
AF_SP, AF_SP_RAW = 1, 2
# The layouts of structures of <nanomsg/ext.h>, and of nn_cmsghdr.
EVENT = struct.Struct("=BBHiiiiIQQQ")
CONTROL_HEADER = struct.Struct("@nii")
CREDENTIALS = struct.Struct("=iII")
PIPE_STATISTICS = struct.Struct("=QiI6Q")
PIPE_COUNTERS = ("messages_sent", "bytes_sent", "messages_received", "bytes_received", "dropped", "missed")
ENDPOINT_STATISTICS = struct.Struct("=iI13Q")
ENDPOINT_COUNTERS = PIPE_COUNTERS + (
    *("connect_attempts", "connect_errors", "connections", "refused_connections"),
    *("handshake_errors", "dropped_connections", "broken_connections"),
)


class Vector(ctypes.Structure):
    """struct nn_iovec"""

    _fields_ = [("base", ctypes.c_void_p), ("len", ctypes.c_size_t)]


class Header(ctypes.Structure):
    """struct nn_msghdr"""

    _fields_ = [
        ("vectors", ctypes.POINTER(Vector)),
        ("count", ctypes.c_int),
        ("control", ctypes.c_void_p),
        ("control_size", ctypes.c_size_t),
    ]


class NanomsgError(Exception):
    """A failed call. `name` is that of the error number, such as ETIMEDOUT."""

    def __init__(self, call, name):
        super().__init__(f"{call}: {name}")
        self.name = name


class Library:
    """A shared library with the functions of libnanomsg; `name` as in docs/interop.md."""

    def __init__(self, name, path):
        self.name = name
        self.calls = ctypes.CDLL(path)
        self.calls.nn_symbol.restype = ctypes.c_char_p
        self.calls.nn_get_statistic.restype = ctypes.c_uint64
        for call in ("nn_send", "nn_recv"):
            getattr(self.calls, call).argtypes = [ctypes.c_int, ctypes.c_char_p, ctypes.c_size_t, ctypes.c_int]
        self.numbers, self.errors = {}, {}
        with open(f"{os.environ['INTEROP_PREFIX']}/include/nanomsg/ext.h", encoding="ascii") as header:
            for constant, number in re.findall(r"#define (NN_\w+) (\d+)$", header.read(), re.MULTILINE):
                self.numbers[constant] = int(number)
        value, place = ctypes.c_int(), 0
        while symbol := self.calls.nn_symbol(place, ctypes.byref(value)):
            self.numbers[symbol.decode()] = value.value
            if symbol.startswith(b"E"):
                self.errors.setdefault(value.value, symbol.decode())
            place += 1

    def must(self, call, *arguments):
        """Calls a function that returns a negative number if it fails."""
        result = getattr(self.calls, call)(*arguments)
        if result < 0:
            number = self.calls.nn_errno()
            raise NanomsgError(call, self.errors.get(number, str(number)))
        return result

    def name_of(self, prefix, number):
        """The name of the constant with a prefix, such as NN_EVENT_, that has this value; without the prefix."""
        for name, value in self.numbers.items():
            # The version of the structure is no kind of event.
            if name.startswith(prefix) and value == number and name != f"{prefix}VERSION":
                return name.removeprefix(prefix)
        return str(number)

    def socket(self, protocol, domain=AF_SP, **options):
        """Opens a socket of a protocol, such as "NN_PULL". `options`: those of NN_SOL_SOCKET, without NN_."""
        return Socket(self, protocol, domain, options)


class Socket:
    """A socket, which a `with` block closes."""

    def __init__(self, library, protocol, domain, options):
        self.library, self.protocol = library, protocol
        self.number = library.must("nn_socket", domain, library.numbers[protocol])
        self.set("RCVTIMEO", LIMIT_MS)
        self.set("SNDTIMEO", LIMIT_MS)
        for option, value in options.items():
            self.set(option, value)

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.close()

    def close(self):
        self.library.must("nn_close", self.number)

    def set(self, option, value, level="NN_SOL_SOCKET"):
        """Sets an option, such as "RCVTIMEO", or "NN_TLS_CA_FILE" of the level "NN_TLS"."""
        if isinstance(value, int):
            value = struct.pack("=i", value)
        elif isinstance(value, str):
            value = value.encode()
        numbers = self.library.numbers
        number = numbers[option if option.startswith("NN_") else f"NN_{option}"]
        self.library.must("nn_setsockopt", self.number, numbers[level], number, value, ctypes.c_size_t(len(value)))

    def read(self, option, value=b"", level="NN_SOL_SOCKET"):
        """The bytes of an option; `value` is what the buffer holds before the call."""
        buffer = ctypes.create_string_buffer(value, 1024)
        size = ctypes.c_size_t(len(value) or 1024)
        numbers = self.library.numbers
        self.library.must(
            "nn_getsockopt", self.number, numbers[level], numbers[f"NN_{option}"], buffer, ctypes.byref(size)
        )
        return buffer.raw[: size.value]

    def subscribe(self, topic):
        self.set("NN_SUB_SUBSCRIBE", topic, "NN_SUB")

    def context(self):
        """A context of this socket."""
        return self.library.socket(self.protocol, SHARE=self.number)

    def bind(self, address):
        """Binds, and returns the endpoint."""
        return self.library.must("nn_bind", self.number, address.encode())

    def connect(self, address):
        return self.library.must("nn_connect", self.number, address.encode())

    def address(self):
        """The address of the endpoint added last, with its port."""
        return self.read("LAST_ENDPOINT").split(b"\0")[0].decode()

    def send(self, message, flags=0):
        self.library.must("nn_send", self.number, message, len(message), flags)

    def receive(self, flags=0):
        buffer = ctypes.create_string_buffer(65536)
        size = self.library.must("nn_recv", self.number, buffer, len(buffer), flags)
        return buffer.raw[:size]

    def has_message(self, milliseconds=0):
        """Whether a message comes within so many milliseconds; it is not received."""
        item = ctypes.create_string_buffer(struct.pack("=ihh", self.number, 1, 0), 8)
        return self.library.must("nn_poll", item, 1, milliseconds) > 0

    def receive_described(self):
        """The next message, and a dictionary of what its control messages say of the peer."""
        body, control = ctypes.create_string_buffer(65536), ctypes.create_string_buffer(8192)
        vector = Vector(ctypes.cast(body, ctypes.c_void_p), len(body))
        header = Header(ctypes.pointer(vector), 1, ctypes.cast(control, ctypes.c_void_p), len(control))
        size = self.library.must("nn_recvmsg", self.number, ctypes.byref(header), 0)
        facts, place, data = {}, 0, control.raw
        while place + CONTROL_HEADER.size <= header.control_size:
            length, level, kind = CONTROL_HEADER.unpack_from(data, place)
            if length < CONTROL_HEADER.size:
                break
            if level == self.library.numbers["NN_SOL_SOCKET"]:
                facts[self.library.name_of("NN_CMSG_", kind)] = data[place + CONTROL_HEADER.size : place + length]
            place += (length + 7) & ~7
        return body.raw[:size], Facts(facts)

    def statistic(self, name):
        return self.library.calls.nn_get_statistic(self.number, self.library.numbers[f"NN_STAT_{name}"])

    def pipe_statistics(self, pipe):
        """The counters of a connection."""
        values = PIPE_STATISTICS.unpack(self.read("PIPE_STATISTICS", PIPE_STATISTICS.pack(pipe, *[0] * 8)))
        return dict(zip(PIPE_COUNTERS, values[3:]), endpoint=values[1], is_connected=values[2])

    def endpoint_statistics(self, endpoint):
        """The counters of an endpoint."""
        values = ENDPOINT_STATISTICS.unpack(
            self.read("ENDPOINT_STATISTICS", ENDPOINT_STATISTICS.pack(endpoint, *[0] * 14))
        )
        return dict(zip(ENDPOINT_COUNTERS, values[2:]), current_connections=values[1])

    def events(self):
        """A subscriber to the events of this socket from now on."""
        address = f"inproc://events-of-{self.number}"
        subscriber = self.library.socket("NN_SUB")
        subscriber.subscribe(b"")
        self.set("MONITOR", address)
        subscriber.connect(address)
        return Events(subscriber)


class Facts(dict):
    """What control messages say of a peer, by the names of their types without NN_CMSG_."""

    def text(self, name):
        return self[name].split(b"\0")[0].decode()

    def pipe(self):
        return struct.unpack_from("=Q", self["PIPE"])[0]

    def credentials(self):
        """pid, uid and gid."""
        return CREDENTIALS.unpack_from(self["CRED"])


class Events:
    """The events of a socket."""

    def __init__(self, subscriber):
        self.subscriber, self.seen = subscriber, []

    def wait_for(self, kind):
        """The next event of a kind, such as "ACCEPTED", with those before it skipped."""
        while True:
            try:
                message = self.subscriber.receive()
            except NanomsgError as error:
                raise AssertionError(f"no event {kind} but {self.seen}") from error
            values = EVENT.unpack_from(message)
            library = self.subscriber.library
            event = Event()
            event.kind = library.name_of("NN_EVENT_", values[0])
            event.reason = library.name_of("NN_REASON_", values[5])
            event.error = library.errors.get(values[6], values[6])
            event.protocol, event.endpoint, event.pipe, event.value = values[2], values[4], values[8], values[10]
            texts = message[values[7] :].decode().split("\0")
            event.properties = dict(text.split("=", 1) for text in texts if text)
            self.seen.append(event)
            if event.kind == kind:
                return event


class Event:
    """An event: `kind` and `reason` by their names without NN_EVENT_ and NN_REASON_."""

    def __repr__(self):
        return f"{self.kind}({vars(self)})"


def ours():
    """This library."""
    return Library("ours", f"{os.environ['INTEROP_PREFIX']}/lib/libnanomsg.so.5")


def reference():
    """The C library."""
    return Library("libnanomsg", os.environ["INTEROP_REFERENCE"])
