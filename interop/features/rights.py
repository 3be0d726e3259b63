"""Programs with more rights than their caller ignore the environment's certificates and names, with nngcat as a server:

    rights.py user|group

A copy of rights.c has the set-user-ID or the set-group-ID bit; needs root, which calls it.
"""

import os
import shutil
import subprocess

from peers import OTHER_GID, OTHER_UID, certificate, check_equal, open_folder, run, running

PLAIN = """\
AT_SECURE: 0
NN_MONITOR: works
NN_TLS_CA_FILE: works
NN_TLS_CERT_FILE: works
NN_TLS_SERVER_NAME: ETIMEDOUT
SSL_CERT_FILE: works
"""
MORE_RIGHTS = """\
AT_SECURE: 1
NN_MONITOR: ignored
NN_TLS_CA_FILE: EINVAL
NN_TLS_CERT_FILE: EINVAL
NN_TLS_SERVER_NAME: works
SSL_CERT_FILE: ETIMEDOUT
"""


def build(folder):
    """Compiles the program, with the library in its folder: the loader ignores the environment too."""
    prefix = os.environ["INTEROP_PREFIX"]
    source = os.path.join(os.path.dirname(__file__), "rights.c")
    shutil.copy(f"{prefix}/lib/libnanomsg.so.6", folder)
    for name in ("ca", "server"):
        shutil.copy(certificate(name), folder)
    program = f"{folder}/plain"
    flags = ["-std=gnu11", "-Wall", "-Wextra", "-Werror", "-I", f"{prefix}/include", f"-Wl,-rpath,{folder}"]
    command = [os.environ.get("CC", "cc"), *flags, "-o", program, source, f"{folder}/libnanomsg.so.6"]
    subprocess.run(command, check=True)
    return program


def output_of(program, folder, address):
    """What it prints, with variables whose files it can read, and a name that the certificate of the server does not have."""
    ca = f"{folder}/ca.pem"
    environment = {"NN_TLS_CA_FILE": ca, "NN_TLS_CERT_FILE": f"{folder}/server.pem", "SSL_CERT_FILE": ca}
    environment["NN_TLS_SERVER_NAME"] = "elsewhere"
    report = f"{program}.report"
    environment["NN_MONITOR"] = f"ipc://{report}"
    command = [program, address, ca, report]
    return subprocess.run(command, check=True, capture_output=True, text=True, env=environment).stdout


def more_rights(kind):
    """A copy with a bit, and one without, for the same caller."""
    with open_folder() as folder:
        plain = build(folder)
        special = shutil.copy(plain, f"{folder}/special")
        os.chown(special, OTHER_UID if kind == "user" else 0, OTHER_GID if kind == "group" else 0)
        os.chmod(special, 0o4755 if kind == "user" else 0o2755)
        address = f"tls+tcp://127.0.0.1:{os.environ['NN_TEST_PORT']}"
        own = ["--cert", certificate("server"), "--key", certificate("server")]
        with running(["nngcat", "--pull", "--bind", address, "--raw", *own]):
            check_equal(output_of(plain, folder, address), PLAIN, "without the bit")
            check_equal(output_of(special, folder, address), MORE_RIGHTS, "with the bit")


run({"user": lambda: more_rights("user"), "group": lambda: more_rights("group")})
