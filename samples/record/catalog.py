"""What a case is, and the list of them. The table in `samples/README.md` is printed from here."""

from dataclasses import dataclass, field

from lab import PASSWORD, REALM, USER


@dataclass
class Case:
    name: str
    software: str  # what spoke, with versions
    shows: str  # one sentence: the story
    finding: str  # the headline finding, "id (severity)", or "healthy"
    also: tuple  # other findings that are to be expected
    credentials: tuple
    present: tuple  # tshark display filters that must match something, or (filter, how many frames at least)
    absent: tuple  # and those that must match nothing
    record: object = field(repr=False, default=None)


CASES = {}
COTURN = "coturn 4.6.1"
UCLIENT = "coturn 4.6.1, turnutils_uclient"
SMALL = "coturn 4.6.1, small client (`record/stun.py`)"


def case(name, software, shows, finding, also=(), credentials=(), present=(), absent=()):
    def register(function):
        assert name not in CASES, name
        CASES[name] = Case(name, software, shows, finding, tuple(also), tuple(credentials), tuple(present), tuple(absent), function)
        return function
    return register


def code(number):
    """A display filter for one error code."""
    return f"stun.att.error.class == {number // 100} && stun.att.error == {number % 100}"


ALLOCATED = "stun.type == 0x0103"
CHALLENGE = code(401)
# Made of two filters that tshark joins: data through a channel, in each direction.
CHANNEL_OUT, CHANNEL_IN = "stun.channel && udp.dstport == 3478", "stun.channel && udp.srcport == 3478"


def credential(label, side=None, username=USER, realm=REALM, **secret):
    """One table of `credentials.toml`."""
    entry = {"label": label, "side": side, "username": username, "realm": realm, **(secret or {"password": PASSWORD})}
    return {key: value for key, value in entry.items() if value is not None}


AGREED = (credential("turnuser"),)


def toml(credentials):
    return "\n".join("[[credential]]\n" + "".join(f'{key} = "{value}"\n' for key, value in entry.items())
                     for entry in credentials)
