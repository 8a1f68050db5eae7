"""The network guard, before the C library of another program: what it refuses and what it lets through."""
import ctypes
import errno
import json
import os
import socket
import subprocess
import sys
import unittest

GUARD_FD = 9
RULES = "SECRET_PROXY_NETGUARD"
SHOW = "SECRET_PROXY_NETGUARD_SHOW"


def attempt(call):
    try:
        call()
        return "through"
    except OSError as error:
        return errno.errorcode[error.errno]


def sendmmsg(connection, address, port):
    """Through the C library, as Python has no such call."""
    libc = ctypes.CDLL(None, use_errno=True)
    name = ctypes.create_string_buffer(socket.AF_INET.to_bytes(2, sys.byteorder) + port.to_bytes(2, "big") + socket.inet_aton(address) + bytes(8), 16)
    header = (ctypes.c_void_p * 8)()
    header[0], header[1] = ctypes.addressof(name), 16
    if libc.sendmmsg(connection.fileno(), header, 1, 0) < 0:
        raise OSError(ctypes.get_errno(), "sendmmsg")


def try_all(port, path):
    """What happens to each way out of a program; runs with the guard in front."""
    def tcp(family, address):
        with socket.socket(family, socket.SOCK_STREAM) as connection:
            connection.settimeout(2)
            return attempt(lambda: connection.connect(address))

    def udp(way, family, address):
        with socket.socket(family, socket.SOCK_DGRAM) as connection:
            calls = {"sendto": lambda: connection.sendto(b"x", address), "sendmsg": lambda: connection.sendmsg([b"x"], [], 0, address),
                     "connect": lambda: connection.connect(address), "sendmmsg": lambda: sendmmsg(connection, *address)}
            return attempt(calls[way])

    out = {"tcp " + address: tcp(socket.AF_INET, (address, port)) for address in ("127.0.0.1", "127.1.2.3", "0.0.0.0")}
    out |= {"tcp " + address: tcp(socket.AF_INET6, (address, port)) for address in ("::1", "::ffff:127.0.0.1", "::")}
    out |= {"udp " + way: udp(way, socket.AF_INET, ("127.0.0.1", port)) for way in ("sendto", "sendmsg", "connect", "sendmmsg")}
    out["udp v6 sendto"] = udp("sendto", socket.AF_INET6, ("::ffff:127.0.0.1", port))
    out["dns"] = udp("sendto", socket.AF_INET, ("127.0.0.53", 53))
    out["other dns"] = udp("sendto", socket.AF_INET, ("127.0.0.54", 53))
    with socket.socket(socket.AF_UNIX) as connection:
        out["unix"] = attempt(lambda: connection.connect(path))
    first, second = socket.socketpair()
    out["pair"] = attempt(lambda: first.sendall(b"x") or second.recv(1))
    return out


class Netguard(unittest.TestCase):
    def setUp(self):
        self.server = socket.create_server(("127.0.0.1", 0))
        self.addCleanup(self.server.close)
        self.port = self.server.getsockname()[1]
        self.local = socket.socket(socket.AF_UNIX)
        self.path = f"/tmp/sp-netguard-{os.getpid()}"
        self.local.bind(self.path)
        self.local.listen()
        self.addCleanup(self.local.close)
        self.addCleanup(os.unlink, self.path)

    def run_guarded(self, rules, preload=os.environ.get("SP_NETGUARD", "")):
        """(status, whether the guard spoke, what happened)"""
        hear, speak = os.pipe()
        environment = {"PATH": os.environ["PATH"], "LD_PRELOAD": preload, "PYTHONDONTWRITEBYTECODE": "1"}
        if rules is not None:
            environment[RULES] = rules
        done = subprocess.run([sys.executable, __file__, "--try", str(self.port), self.path], env=environment, stdout=subprocess.PIPE,
                              preexec_fn=lambda: os.dup2(speak, GUARD_FD), pass_fds=(GUARD_FD,), check=False)
        os.close(speak)
        said = os.read(hear, 10)
        os.close(hear)
        return done.returncode, said == b"g", json.loads(done.stdout) if done.stdout else None

    def test_loopback_is_refused_and_the_rest_is_not(self):
        status, spoke, out = self.run_guarded(";")
        self.assertEqual((status, spoke), (0, True))
        self.assertEqual({k: v for k, v in out.items() if v == "through"}.keys(), {"unix", "pair"})
        self.assertEqual({v for v in out.values() if v != "through"}, {"ECONNREFUSED"})

    def test_listed_ports_and_the_resolver_are_let_through(self):
        _, spoke, out = self.run_guarded(f"1,{self.port};127.0.0.53")
        self.assertTrue(spoke)
        through = {k for k, v in out.items() if v == "through"}
        self.assertLessEqual({"tcp 127.0.0.1", "udp sendto", "udp sendmsg", "udp connect", "dns", "unix", "pair"}, through)
        self.assertEqual(out["other dns"], "ECONNREFUSED")

    def test_it_can_be_seen_from_outside_where_it_has_no_descriptor(self):
        environment = {"PATH": os.environ["PATH"], "LD_PRELOAD": os.environ["SP_NETGUARD"], SHOW: "1"}
        look = ("import os\nfor n in os.listdir('/proc/self/fd'):\n"
                "    if os.path.lexists('/proc/self/fd/' + n): print(os.readlink('/proc/self/fd/' + n))")
        done = subprocess.run([sys.executable, "-c", look], env=environment, stdout=subprocess.PIPE, text=True, check=True)
        self.assertIn("/memfd:secret-proxy-netguard (deleted)", done.stdout.splitlines())

    def test_without_rules_everything_is_refused(self):
        _, _, out = self.run_guarded(None)
        self.assertEqual(out["tcp 127.0.0.1"], "ECONNREFUSED")
        self.assertEqual(out["dns"], "ECONNREFUSED")

    def test_the_attempts_would_succeed_without_it(self):
        _, spoke, out = self.run_guarded(None, preload="")
        self.assertFalse(spoke)
        self.assertEqual(out["tcp 127.0.0.1"], "through")
        self.assertEqual(out["tcp 0.0.0.0"], "through")
        self.assertEqual(out["tcp ::ffff:127.0.0.1"], "through")
        self.assertEqual({out["udp " + way] for way in ("sendto", "sendmsg", "connect", "sendmmsg")}, {"through"})


if __name__ == "__main__":
    if sys.argv[1:2] == ["--try"]:
        print(json.dumps(try_all(int(sys.argv[2]), sys.argv[3])))
    else:
        unittest.main()
