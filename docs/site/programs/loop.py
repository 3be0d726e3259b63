"""A socket in an asyncio loop, by the functions of C."""

# ANCHOR: program
import asyncio
import ctypes

nn = ctypes.CDLL("libnanomsg.so.5")
AF_SP, NN_PUSH, NN_PULL = 1, 80, 81
NN_SOL_SOCKET, NN_RCVFD, NN_DONTWAIT = 0, 11, 1


def descriptor_of(socket):
    value, size = ctypes.c_int(), ctypes.c_size_t(ctypes.sizeof(ctypes.c_int))
    nn.nn_getsockopt(socket, NN_SOL_SOCKET, NN_RCVFD, ctypes.byref(value), ctypes.byref(size))
    return value.value


async def receive(socket):
    """The next message of a socket."""
    loop, descriptor, text = asyncio.get_running_loop(), descriptor_of(socket), ctypes.create_string_buffer(100)
    while True:
        size = nn.nn_recv(socket, text, len(text), NN_DONTWAIT)
        if size >= 0:
            return text.raw[:size]
        readable = loop.create_future()
        loop.add_reader(descriptor, readable.set_result, None)
        try:
            await readable
        finally:
            loop.remove_reader(descriptor)


async def main():
    receiver, sender = nn.nn_socket(AF_SP, NN_PULL), nn.nn_socket(AF_SP, NN_PUSH)
    nn.nn_bind(receiver, b"inproc://jobs")
    nn.nn_connect(sender, b"inproc://jobs")
    asyncio.get_running_loop().call_soon(nn.nn_send, sender, b"hello", 5, 0)
    print((await receive(receiver)).decode())  # hello
    nn.nn_close(sender)
    nn.nn_close(receiver)


asyncio.run(main())
# ANCHOR_END: program
