#!/usr/bin/env python3
"""One end of a WebRTC call on aiortc, with a data channel and nothing else. Run by cases_media.py, one process for each end.

    aiortc_agent.py offer|answer FOLDER SECONDS [ICE-SERVER-URL [USER PASSWORD]]

Offer and answer are exchanged as files in FOLDER. Exit status 0 when the channel carried messages both ways.
"""

import asyncio
import json
import sys
from pathlib import Path

from aiortc import RTCConfiguration, RTCIceServer, RTCPeerConnection, RTCSessionDescription

MESSAGES = 4


def describe(path, description):
    part = path.with_suffix(".part")
    part.write_text(json.dumps({"type": description.type, "sdp": description.sdp}))
    part.rename(path)


async def described(path, seconds=20):
    for _ in range(int(seconds * 20)):
        if path.exists():
            return RTCSessionDescription(**{key: value for key, value in json.loads(path.read_text()).items()})
        await asyncio.sleep(0.05)
    raise TimeoutError(path.name)


async def main(role, folder, seconds, *server):
    offer, answer = Path(folder) / "offer.json", Path(folder) / "answer.json"
    servers = [RTCIceServer(urls=server[0], **dict(zip(("username", "credential"), server[1:])))] if server else []
    # Never without a configuration: its default names a server on the Internet.
    connection = RTCPeerConnection(RTCConfiguration(iceServers=servers))
    done = asyncio.get_running_loop().create_future()

    def talk(channel):
        received = []

        @channel.on("message")
        def on_message(text):
            received.append(text)
            if role == "answer":
                channel.send(text)
            if len(received) == MESSAGES and not done.done():
                done.set_result(True)

    if role == "offer":
        channel = connection.createDataChannel("sample")
        talk(channel)

        @channel.on("open")
        async def on_open():
            for number in range(MESSAGES):
                channel.send(f"message {number}")
                await asyncio.sleep(0.1)

        await connection.setLocalDescription(await connection.createOffer())
        describe(offer, connection.localDescription)
        await connection.setRemoteDescription(await described(answer))
    else:
        connection.on("datachannel", talk)
        await connection.setRemoteDescription(await described(offer))
        await connection.setLocalDescription(await connection.createAnswer())
        describe(answer, connection.localDescription)
    try:
        await asyncio.wait_for(done, float(seconds))
        await asyncio.sleep(0.5 if role == "offer" else 1)
    finally:
        await connection.close()


try:
    asyncio.run(main(*sys.argv[1:]))
except (TimeoutError, asyncio.TimeoutError, ConnectionError) as error:
    sys.exit(f"{type(error).__name__}: {error}")
