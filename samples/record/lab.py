"""The laboratory: network namespaces, static NATs, servers and captures, all made here and all taken down again.

Nothing leaves the namespaces: they have veths to one router namespace and no way out of it. Every wait is bounded, and every
process is ended by its own id.

The picture (only the parts that a case asks for are made):

    client 172.16.84.124 --+  (and 172.16.85.124 where a second interface is asked for)
    peer   172.16.90.20  --+-- core --(static NAT 10.88.246.156 <-> 192.168.245.61)-- server 192.168.245.61
    home 192.168.1.10 -- homenat 203.0.113.50 --+     (10.88.246.157 <-> 192.168.245.62 where a second server is asked for)
"""

import contextlib
import ctypes
import os
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import time
from pathlib import Path

from pcapng_tidy import tidy

CLONE_NEWNET = 0x40000000
LIBC = ctypes.CDLL(None, use_errno=True)

CLIENT = "172.16.84.124"
CLIENT_OTHER = "172.16.85.124"
PEER = "172.16.90.20"
LAN_CLIENT, LAN_PEER = "192.168.7.10", "192.168.7.20"
HOME = "192.168.1.10"
HOME_NAT = "203.0.113.50"
SERVER_INSIDE = "192.168.245.61"
SERVER = "10.88.246.156"
SECOND_INSIDE = "192.168.245.62"
SECOND = "10.88.246.157"
CLIENT6 = "2001:db8:84::124"
SERVER6 = "2001:db8:245::61"
PEER6 = "2001:db8:90::20"
REALM = "turnuser"
USER = "turnuser"
PASSWORD = "blue-harbour-42"
PORTS = (24000, 29999)


def run(*command, timeout=20, check=True, quiet=True):
    """Runs one command to its end and gives its output; raises with the output when it fails."""
    done = subprocess.run(command, timeout=timeout, capture_output=quiet, text=True)
    if check and done.returncode != 0:
        raise RuntimeError(f"{' '.join(command)}: exit {done.returncode}\n{done.stdout}{done.stderr}")
    return done.stdout or ""


class Lab:
    """One set of namespaces for one case. Use it as a context manager: leaving it ends the processes and removes the namespaces."""

    def __init__(self, *parts):
        self.prefix = f"rec{os.getpid()}"
        self.namespaces = []
        self.processes = []
        self.scratch = Path(tempfile.mkdtemp(prefix="record-"))
        self.parts = parts

    def __enter__(self):
        try:
            self._namespace("core")
            self._sysctl("core", "net.ipv4.ip_forward", 1)
            self._sysctl("core", "net.ipv6.conf.all.forwarding", 1)
            for part in self.parts:
                getattr(self, f"_make_{part}")()
        except BaseException:
            self.__exit__()
            raise
        return self

    def __exit__(self, *_):
        for process in reversed(self.processes):
            self.stop(process)
        for name in reversed(self.namespaces):
            run("ip", "netns", "delete", name, check=False)
        shutil.rmtree(self.scratch, ignore_errors=True)

    # The parts of the picture.

    def _make_client(self):
        self._host("client", CLIENT, "172.16.84.1", v6=(CLIENT6, "2001:db8:84::1"))

    def _make_client_other(self):
        """A second interface of the client, with its own network and its own way to the core."""
        wire = "to-client_other"
        self._wire("client", "eth1", "core", wire)
        self.ip("client", "addr", "add", f"{CLIENT_OTHER}/24", "dev", "eth1")
        self.ip("core", "addr", "add", "172.16.85.1/24", "dev", wire)
        self.ip("client", "link", "set", "eth1", "up")
        self.ip("core", "link", "set", wire, "up")
        # What comes from an interface's address leaves by that interface.
        self.ip("client", "route", "add", "default", "via", "172.16.85.1", "dev", "eth1", "table", "85")
        self.ip("client", "rule", "add", "from", CLIENT_OTHER, "table", "85")
        self.ip("client", "route", "add", "default", "via", "172.16.85.1", "dev", "eth1", "metric", "200")

    def _make_peer(self):
        self._host("peer", PEER, "172.16.90.1", v6=(PEER6, "2001:db8:90::1"))

    def _make_server(self):
        self._host("server", SERVER_INSIDE, "192.168.245.1", v6=(SERVER6, "2001:db8:245::1"))
        self._static_nat(SERVER, SERVER_INSIDE)

    def _make_second(self):
        """A second address of the server, behind its own static NAT address."""
        self.ip("server", "addr", "add", f"{SECOND_INSIDE}/24", "dev", "eth0")
        self._static_nat(SECOND, SECOND_INSIDE)

    def _make_lan(self):
        """In the places of client and peer, two hosts on one wire, and nothing else."""
        for part in ("client", "peer"):
            self._namespace(part)
        self._wire("client", "eth0", "peer", "eth0")
        for part, address in (("client", LAN_CLIENT), ("peer", LAN_PEER)):
            self.ip(part, "addr", "add", f"{address}/24", "dev", "eth0")
            self.ip(part, "link", "set", "eth0", "up")
            self.ip(part, "route", "add", "default", "dev", "eth0")

    def _make_home(self):
        """A home behind a masquerading router."""
        self._host("homenat", HOME_NAT, "203.0.113.1")
        self._sysctl("homenat", "net.ipv4.ip_forward", 1)
        self._host("home", HOME, "192.168.1.1", router="homenat")
        self.nft("homenat", "add table ip nat")
        self.nft("homenat", "add chain ip nat post { type nat hook postrouting priority 100; }")

    def masquerade(self, how=""):
        """Switches the home router's NAT on; `how` is nft's: "" keeps ports where it can, "random,fully-random" never does."""
        self.nft("homenat", f"add rule ip nat post oifname eth0 masquerade {how}")

    def _namespace(self, part):
        name = self.ns(part)
        run("ip", "netns", "add", name)
        self.namespaces.append(name)
        self.ip(part, "link", "set", "lo", "up")
        if "ipv6" not in self.parts:
            self._sysctl(part, "net.ipv6.conf.all.disable_ipv6", 1)
            self._sysctl(part, "net.ipv6.conf.default.disable_ipv6", 1)

    def _host(self, part, address, gateway, router="core", v6=None):
        """A namespace with one interface `eth0`, joined to the router's namespace by a veth pair."""
        self._namespace(part)
        wire = f"to-{part}"[:15]
        self._wire(part, "eth0", router, wire)
        self.ip(part, "addr", "add", f"{address}/24", "dev", "eth0")
        self.ip(router, "addr", "add", f"{gateway}/24", "dev", wire)
        self.ip(part, "link", "set", "eth0", "up")
        self.ip(router, "link", "set", wire, "up")
        self.ip(part, "route", "add", "default", "via", gateway)
        if v6 and "ipv6" in self.parts:
            self.ip(part, "addr", "add", f"{v6[0]}/64", "dev", "eth0", "nodad")
            self.ip(router, "addr", "add", f"{v6[1]}/64", "dev", wire, "nodad")
            self.ip(part, "-6", "route", "add", "default", "via", v6[1])

    def _make_ipv6(self):
        """Only a mark: hosts made in a laboratory with this part get IPv6 addresses too."""

    def _wire(self, part, inner, router, wire):
        """A veth pair between two namespaces."""
        run("ip", "link", "add", inner, "netns", self.ns(part), "type", "veth", "peer", "name", wire, "netns", self.ns(router))
        for space, device in ((part, inner), (router, wire)):
            # With offloading on, a veth carries wrong checksums and giant segments that no network card would show.
            run("ip", "netns", "exec", self.ns(space), "ethtool", "-K", device,
                "tx", "off", "gso", "off", "tso", "off", "gro", "off")
            # No router discovery or duplicate address detection: they are noise in every capture.
            self._sysctl(space, f"net.ipv6.conf.{device}.accept_dad", 0)
            self._sysctl(space, f"net.ipv6.conf.{device}.router_solicitations", 0)

    def _static_nat(self, outside, inside):
        """One address for one address, all ports kept, as a firewall's static NAT does it."""
        if "10.88.246" not in self.nft("core", "list ruleset"):
            self.nft("core", "add table ip nat")
            self.nft("core", "add chain ip nat pre { type nat hook prerouting priority -100; }")
            self.nft("core", "add chain ip nat post { type nat hook postrouting priority 100; }")
        self.nft("core", f"add rule ip nat pre ip daddr {outside} dnat to {inside}")
        self.nft("core", f"add rule ip nat post ip saddr {inside} snat to {outside}")

    # What a case does with them.

    def ns(self, part):
        return f"{self.prefix}-{part}"

    def ip(self, part, *arguments):
        return run("ip", "-n", self.ns(part), *arguments)

    def nft(self, part, rule):
        return run("ip", "netns", "exec", self.ns(part), "nft", *([rule] if rule != "list ruleset" else rule.split()))

    def drop(self, part, match, hook="forward"):
        """Drops what matches, silently, at one hook of one namespace."""
        self.nft(part, "add table inet filter")
        self.nft(part, f"add chain inet filter {hook} {{ type filter hook {hook} priority 0; }}")
        self.nft(part, f"add rule inet filter {hook} {match} drop")

    def refuse(self, part, match, how):
        """Answers what comes to a router and matches, in place of its receiver: `how` is nft's, "tcp reset" or "icmp type …"."""
        self.nft(part, "add table inet refuse")
        # before connections are tracked and addresses translated: the router speaks in its own name
        self.nft(part, "add chain inet refuse pre { type filter hook prerouting priority -300; }")
        self.nft(part, f"add rule inet refuse pre {match} reject with {how}")

    def _sysctl(self, part, key, value):
        run("ip", "netns", "exec", self.ns(part), "sysctl", "-q", "-w", f"{key}={value}", check=False)

    def sysctl(self, part, key, value):
        self._sysctl(part, key, value)

    @contextlib.contextmanager
    def inside(self, part):
        """Puts this thread into a namespace: a socket that is made there stays there."""
        home = os.open("/proc/thread-self/ns/net", os.O_RDONLY)
        there = os.open(f"/run/netns/{self.ns(part)}", os.O_RDONLY)
        try:
            if LIBC.setns(there, CLONE_NEWNET):
                raise OSError(ctypes.get_errno(), f"setns {part}")
            yield
        finally:
            LIBC.setns(home, CLONE_NEWNET)
            os.close(home)
            os.close(there)

    def udp(self, part, address, port=0):
        """A UDP socket in a namespace."""
        with self.inside(part):
            made = socket.socket(socket.AF_INET6 if ":" in address else socket.AF_INET, socket.SOCK_DGRAM)
            made.bind((address, port))
        return made

    def tcp(self, part, address, to):
        """A TCP connection out of a namespace."""
        with self.inside(part):
            return socket.create_connection(to, 5, (address, 0))

    def listen(self, part, address, port):
        """A TCP socket that listens in a namespace."""
        with self.inside(part):
            return socket.create_server((address, port))

    def spawn(self, part, *command, **options):
        """Starts a process in a namespace. `ip netns exec` becomes the command, so the id is the command's own."""
        log = open(self.scratch / f"{len(self.processes)}.log", "w+")
        process = subprocess.Popen(["ip", "netns", "exec", self.ns(part), *map(str, command)],
                                   stdout=log, stderr=subprocess.STDOUT, stdin=subprocess.DEVNULL,
                                   cwd=self.scratch, start_new_session=True, **options)
        process.log = log
        self.processes.append(process)
        return process

    def finish(self, process, seconds):
        """Waits for a process that ends by itself, at most so long; then ends it. Gives what it printed."""
        try:
            process.wait(seconds)
        except subprocess.TimeoutExpired:
            pass
        self.stop(process)
        return output(process)

    def stop(self, process):
        if process.poll() is None:
            process.send_signal(signal.SIGTERM)
            try:
                process.wait(5)
            except subprocess.TimeoutExpired:
                process.kill()
                process.wait(5)

    def wait_bound(self, part, port, kind="udp", seconds=10):
        """Waits until some socket of the namespace is bound to the port."""
        wanted = f":{port:04X}"
        end = time.monotonic() + seconds
        while time.monotonic() < end:
            with self.inside(part):
                for table in (f"/proc/thread-self/net/{kind}", f"/proc/thread-self/net/{kind}6"):
                    with contextlib.suppress(FileNotFoundError), open(table) as lines:
                        if any(wanted in line.split()[1] for line in list(lines)[1:]):
                            return
            time.sleep(0.1)
        raise RuntimeError(f"{part}: nothing bound to {kind} port {port}\n" + "".join(map(output, self.processes)))

    def coturn(self, *more, address=SERVER_INSIDE, external=SERVER, ports=PORTS, user=f"{USER}:{PASSWORD}", realm=REALM,
               name="coturn", secure=("--no-tls", "--no-dtls")):
        """A coturn on one address, with the long-term credentials of the picture unless told otherwise; `secure` are its options about TLS."""
        command = ["turnserver", "-n", "--no-cli", *secure, "--log-file=stdout", "--simple-log",
                   f"--pidfile={self.scratch}/{name}.pid", f"--userdb={self.scratch}/{name}.db",
                   f"--listening-ip={address}", f"--relay-ip={address}", "--listening-port=3478",
                   f"--min-port={ports[0]}", f"--max-port={ports[1]}", f"--realm={realm}"]
        if user:
            command += ["--lt-cred-mech", f"--user={user}"]
        if external:
            command += [f"--external-ip={external}/{address}"]
        process = self.spawn("server", *command, *more)
        self.wait_bound("server", 3478)
        time.sleep(0.5)
        return process

    def uclient(self, *more, part="client", server=SERVER, user=USER, password=PASSWORD, seconds=20):
        """coturn's own client. It opens two 5-tuples, binds channels and sends a few messages to the peer and back."""
        process = self.spawn(part, "turnutils_uclient", "-u", user, "-w", password, *more, server)
        return self.finish(process, seconds)

    def echo_peer(self, part="peer", address=PEER, port=3480):
        process = self.spawn(part, "turnutils_peer", "-L", address, "-p", str(port))
        self.wait_bound(part, port)
        return process

    def murmur(self, seconds, part="client", address=CLIENT, gateway="172.16.84.1"):
        """Other traffic on the wire for so long, so that the capture shows that it went on when nothing else happened."""
        listener, talker = self.udp("core", gateway, 514), self.udp(part, address)
        for second in range(seconds):
            talker.sendto(f"<14>heartbeat {second}".encode(), listener.getsockname())
            time.sleep(1)

    @contextlib.contextmanager
    def capture(self, part, target, snaplen=0, expression="", device="eth0", tool="dumpcap"):
        """Captures on one interface while the block runs. `target` is the file to write."""
        raw = self.scratch / f"raw-{len(self.processes)}"
        if tool == "dumpcap":
            command = ["dumpcap", "-i", device, "-w", raw, "-a", "duration:300", "-a", "filesize:2000", "-s", snaplen]
        else:
            command = ["tcpdump", "-n", "-U", "-i", device, "-w", raw, "-s", snaplen]
        if expression:
            command += ["-f", expression] if tool == "dumpcap" else expression.split()
        process = self.spawn(part, *command)
        end = time.monotonic() + 10
        while not any(sign in output(process) for sign in ("File:", "listening on")):
            if time.monotonic() > end or process.poll() is not None:
                raise RuntimeError(f"capture does not start: {output(process)}")
            time.sleep(0.1)
        time.sleep(0.3)
        try:
            yield
        finally:
            time.sleep(0.7)
            self.stop(process)
        Path(target).write_bytes(tidy(raw.read_bytes()))


def merge(target, *captures):
    """One pcapng file of several, in the order of time."""
    run("mergecap", "-w", str(target), *map(str, captures))
    Path(target).write_bytes(tidy(Path(target).read_bytes()))


def output(process):
    """What a process printed so far."""
    process.log.flush()
    with open(process.log.name, errors="replace") as text:
        return text.read()


def need(*tools):
    """Ends with one line when a program that the recording needs is missing."""
    missing = [tool for tool in tools if not shutil.which(tool)]
    if missing:
        sys.exit(f"record: not installed: {', '.join(missing)}")
