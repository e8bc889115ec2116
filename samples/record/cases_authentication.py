"""Cases about who signs with what: each against coturn, on the client's side of the static NAT."""

import contextlib
import time

import stun
from catalog import AGREED, ALLOCATED, CHALLENGE, CHANNEL_IN, CHANNEL_OUT, SMALL, UCLIENT, case, code, credential
from lab import CLIENT, PASSWORD, PEER, SERVER, USER, Lab
from stun import Client

WRONG = "green-harbour-42"
REST_SECRET = "north"
EXPIRED_USER = "1767225600:alice"
TALK = ("-e", PEER, "-r", "3480", "-n", "3", "-m", "1", "-c", "-l", "64")


def small_client(lab, user=USER, password=PASSWORD, **options):
    return Client(lab.udp("client", CLIENT), (SERVER, 3478), user, password, **options)


@contextlib.contextmanager
def small_call(out):
    """The laboratory and a small client with a relay at coturn, captured; a peer sends back what it gets."""
    with Lab("client", "server", "peer") as lab:
        lab.coturn()
        lab.echo_peer()
        with lab.capture("client", out / "capture.pcapng"):
            client = small_client(lab)
            client.allocate()
            yield lab, client


@case(
    "turn-success",
    UCLIENT,
    "allocation, channels, data both ways, Refresh 0: a session as it should be",
    "healthy",
    ["turn-challenge"],
    AGREED,
    [CHALLENGE, ALLOCATED, CHANNEL_OUT, CHANNEL_IN, "stun.type == 0x0104"],
)
def turn_success(out):
    with Lab("client", "server", "peer") as lab:
        lab.coturn()
        lab.echo_peer()
        with lab.capture("client", out / "capture.pcapng"):
            lab.uclient(*TALK)


@case(
    "wrong-password",
    UCLIENT,
    "the client's password is not the server's: every try gets a second 401",
    "turn-integrity-rejected failure",
    [],
    [credential("client", "client", password=WRONG), credential("coturn", "server")],
    [CHALLENGE],
    [ALLOCATED],
)
def wrong_password(out):
    with Lab("client", "server") as lab:
        lab.coturn()
        with lab.capture("client", out / "capture.pcapng"):
            lab.uclient(*TALK, password=WRONG)


@case(
    "near-miss-password",
    UCLIENT,
    "the client's password ends with a blank that was pasted along: the given one does not verify, and nearly does",
    "turn-integrity-rejected failure",
    [],
    [credential("coturn", "server")],
    [CHALLENGE],
    [ALLOCATED],
)
def near_miss_password(out):
    with Lab("client", "server") as lab:
        lab.coturn()
        with lab.capture("client", out / "capture.pcapng"):
            lab.uclient(*TALK, password=PASSWORD + " ")


@case(
    "two-users",
    UCLIENT,
    "one user gets its relay and talks, another from the same address has a wrong password: the first's success excuses "
    "nothing",
    "turn-integrity-rejected failure",
    ["turn-challenge"],
    [
        credential("turnuser"),
        credential("second, client", "client", username="turnuser2", password=WRONG),
        credential("second, server", "server", username="turnuser2", password="red-harbour-43"),
    ],
    [CHALLENGE, ALLOCATED, CHANNEL_IN, 'stun.att.username == "turnuser2"'],
)
def two_users(out):
    with Lab("client", "server", "peer") as lab:
        lab.coturn("--user=turnuser2:red-harbour-43")
        lab.echo_peer()
        with lab.capture("client", out / "capture.pcapng"):
            lab.uclient(*TALK)
            for _ in range(3):
                small_client(lab, user="turnuser2", password=WRONG).allocate()
                time.sleep(0.5)


@case(
    "wrong-password-then-right",
    SMALL,
    "one try with an old password, then the right one and an allocation: it worked in the end",
    "turn-integrity-rejected warning",
    ["turn-challenge"],
    [credential("old", "client", password=WRONG), credential("coturn", "server")],
    [CHALLENGE, ALLOCATED],
)
def wrong_password_then_right(out):
    with Lab("client", "server") as lab:
        lab.coturn()
        with lab.capture("client", out / "capture.pcapng"):
            client = small_client(lab, password=WRONG)
            client.allocate()
            time.sleep(1)
            client.password = PASSWORD
            client.allocate()
            client.refresh(0)


@case(
    "unknown-user",
    UCLIENT,
    "the server has no such user: coturn answers as to a wrong password, so only \"user or password\" can be said",
    "turn-integrity-rejected failure",
    [],
    [credential("client", "client", username="nobody"), credential("coturn", "server")],
    [CHALLENGE, 'stun.att.username == "nobody"'],
    [ALLOCATED],
)
def unknown_user(out):
    with Lab("client", "server") as lab:
        lab.coturn()
        with lab.capture("client", out / "capture.pcapng"):
            lab.uclient(*TALK, user="nobody")


@case(
    "wrong-realm",
    SMALL,
    "the client insists on the realm it was configured with, not the challenge's: 437",
    "turn-realm-mismatch failure",
    [],
    [credential("client", "client", realm="meeting.example"), credential("coturn", "server")],
    [CHALLENGE, code(437)],
    [ALLOCATED],
)
def wrong_realm(out):
    with Lab("client", "server") as lab:
        lab.coturn()
        with lab.capture("client", out / "capture.pcapng"):
            for _ in range(2):
                small_client(lab, realm="meeting.example").allocate()
                time.sleep(0.5)


@case(
    "stale-nonce",
    SMALL,
    "the nonce runs out, 438 brings a new one, the Refresh with it succeeds: ordinary",
    "healthy",
    ["turn-challenge", "turn-stale-nonce"],
    AGREED,
    [code(438), ALLOCATED, "stun.type == 0x0104"],
)
def stale_nonce(out):
    with Lab("client", "server") as lab:
        lab.coturn("--stale-nonce=3")
        with lab.capture("client", out / "capture.pcapng"):
            client = small_client(lab)
            client.allocate()
            time.sleep(5)
            answer = client.refresh(600)
            client.challenged(answer)
            client.refresh(600)
            client.refresh(0)


@case(
    "stale-nonce-loop",
    SMALL,
    "the client takes a new socket for every try and so never has a nonce that the server gave to it",
    "turn-stale-nonce-loop failure",
    [],
    AGREED,
    [code(438)],
    [ALLOCATED],
)
def stale_nonce_loop(out):
    with Lab("client", "server") as lab:
        lab.coturn()
        with lab.capture("client", out / "capture.pcapng"):
            client = small_client(lab)
            client.challenged(client.ask(client.request(stun.ALLOCATE, (stun.REQUESTED_TRANSPORT, stun.UDP), signed=False)))
            for _ in range(5):
                client.sock = lab.udp("client", CLIENT)
                answer = client.ask(client.request(stun.ALLOCATE, (stun.REQUESTED_TRANSPORT, stun.UDP)))
                client.challenged(answer)
                time.sleep(0.5)


@case(
    "no-credentials",
    SMALL,
    "the client has no credentials and gives up after the challenge",
    "turn-no-credentials failure",
    [],
    [],
    [CHALLENGE],
    ["stun.att.username", ALLOCATED],
)
def no_credentials(out):
    with Lab("client", "server") as lab:
        lab.coturn()
        with lab.capture("client", out / "capture.pcapng"):
            client = small_client(lab)
            client.ask(client.request(stun.ALLOCATE, (stun.REQUESTED_TRANSPORT, stun.UDP), signed=False))
            # The capture goes on long enough to tell giving up from being slow.
            lab.murmur(12)


@case(
    "missing-attribute",
    SMALL,
    "the Allocate lacks REQUESTED-TRANSPORT: 400",
    "turn-missing-attribute failure",
    [],
    AGREED,
    [CHALLENGE, code(400)],
    [ALLOCATED, "stun.att.transp"],
)
def missing_attribute(out):
    with Lab("client", "server") as lab:
        lab.coturn()
        with lab.capture("client", out / "capture.pcapng"):
            client = small_client(lab)
            client.challenged(client.ask(client.request(stun.ALLOCATE, signed=False)))
            client.ask(client.request(stun.ALLOCATE))


@case(
    "unknown-attribute",
    SMALL,
    "the Allocate carries a comprehension-required attribute 0x7F42 that the server does not know: 420",
    "turn-unknown-attribute failure",
    [],
    AGREED,
    [code(420), "stun.att.type == 0x000a"],
    [ALLOCATED],
)
def unknown_attribute(out):
    with Lab("client", "server") as lab:
        lab.coturn()
        with lab.capture("client", out / "capture.pcapng"):
            small_client(lab).allocate((0x7F42, b"beta"))


@case(
    "user-changed",
    SMALL,
    "the credentials are rotated under a live allocation: the Refresh with the new user gets 441",
    "turn-user-changed failure",
    ["turn-challenge"],
    [credential("turnuser"), credential("rotated", username="turnuser2", password="red-harbour-43")],
    [ALLOCATED, code(441)],
)
def user_changed(out):
    with Lab("client", "server") as lab:
        lab.coturn("--user=turnuser2:red-harbour-43")
        with lab.capture("client", out / "capture.pcapng"):
            client = small_client(lab)
            client.allocate()
            time.sleep(1)
            for _ in range(2):
                client.refresh(600, user="turnuser2", password="red-harbour-43")
                time.sleep(1)


@case(
    "rest-good",
    "coturn 4.6.1 (use-auth-secret), turnutils_uclient",
    "a time-limited credential (TURN REST) made from the shared secret",
    "healthy",
    ["turn-challenge"],
    [{"label": "REST secret", "shared_secret": REST_SECRET}],
    [CHALLENGE, ALLOCATED, CHANNEL_IN],
)
def rest_good(out):
    with Lab("client", "server", "peer") as lab:
        lab.coturn("--use-auth-secret", f"--static-auth-secret={REST_SECRET}", user=None)
        lab.echo_peer()
        user = f"{int(time.time()) + 86400}:alice"
        with lab.capture("client", out / "capture.pcapng"):
            lab.uclient(*TALK, user=user, password=stun.rest_password(REST_SECRET, user))


@case(
    "rest-wrong-secret",
    "coturn 4.6.1 (use-auth-secret), turnutils_uclient",
    "a time-limited credential made from another secret than the server's",
    "turn-integrity-rejected failure",
    [],
    [
        {"label": "portal", "side": "client", "shared_secret": "south"},
        {"label": "coturn", "side": "server", "shared_secret": REST_SECRET},
    ],
    [CHALLENGE],
    [ALLOCATED],
)
def rest_wrong_secret(out):
    with Lab("client", "server") as lab:
        lab.coturn("--use-auth-secret", f"--static-auth-secret={REST_SECRET}", user=None)
        user = f"{int(time.time()) + 86400}:alice"
        with lab.capture("client", out / "capture.pcapng"):
            lab.uclient(*TALK, user=user, password=stun.rest_password("south", user))


@case(
    "rest-expired",
    "coturn 4.6.1 (use-auth-secret), turnutils_uclient",
    "a time-limited credential used after its end: 401 again and again",
    "turn-credential-expired failure",
    [],
    [{"label": "REST secret", "shared_secret": REST_SECRET}],
    [CHALLENGE, f'stun.att.username == "{EXPIRED_USER}"'],
    [ALLOCATED],
)
def rest_expired(out):
    with Lab("client", "server") as lab:
        lab.coturn("--use-auth-secret", f"--static-auth-secret={REST_SECRET}", user=None)
        with lab.capture("client", out / "capture.pcapng"):
            lab.uclient(*TALK, user=EXPIRED_USER, password=stun.rest_password(REST_SECRET, EXPIRED_USER))
