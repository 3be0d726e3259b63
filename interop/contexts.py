"""Many requests at once with the contexts of pynng, as contexts.c, which describes it:

    contexts.py serve|ask shared [ADDRESS]
"""

import random
import sys
import threading
import time

import pynng

CONTEXTS = 64
ROUNDS = 20
LIMIT_MS = 20000


def answer(context):
    """Answers requests until the socket is closed."""
    try:
        while True:
            request = context.recv()
            time.sleep(random.random() / 100)
            context.send(request)
    except pynng.Closed:
        pass


def ask(context, number, errors):
    for turn in range(ROUNDS):
        text = f"context {number}, round {turn}".encode()
        context.send(text)
        if context.recv() != text:
            errors.append(f"context {number} got a wrong reply")


def main():
    role, _kind, *wanted = sys.argv[1:]
    protocol = {"serve": pynng.Rep0, "ask": pynng.Req0}[role]
    with protocol(send_timeout=LIMIT_MS, recv_timeout=None if role == "serve" else LIMIT_MS) as socket:
        if wanted:
            socket.listen(wanted[0])
            print(wanted[0], flush=True)
        else:
            socket.dial(sys.stdin.readline().strip())
        contexts = [socket.new_context() for _ in range(CONTEXTS)]
        errors = []
        if role == "serve":
            threads = [threading.Thread(target=answer, args=[context]) for context in contexts]
        else:
            threads = [
                threading.Thread(target=ask, args=[context, number, errors]) for number, context in enumerate(contexts)
            ]
        for thread in threads:
            thread.start()
        if role == "serve":
            sys.stdin.read()
            for context in contexts:
                context.close()
        for thread in threads:
            thread.join()
        if errors:
            sys.exit(errors[0])


main()
