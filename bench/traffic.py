"""Datagrams over loopback for the agent's rows: run as a process of its own.

    python traffic.py send PORT DESTINATIONS PACKETS_A_SECOND
    python traffic.py receive PORT

One socket sends to DESTINATIONS addresses of 127.0.0.0/8, which are two flows each: the sender's and the receiver's.
"""

from __future__ import annotations

import socket
import sys
import time

BODY = b"x" * 200
STEPS = 50  # a second


def send(port: int, destinations: int, rate: int) -> None:
    """Until it is killed; what it cannot send in time, it leaves out."""
    places = [(f"127.1.{number >> 8}.{number & 255}", port) for number in range(destinations)]
    sender = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
    at, due = 0, time.monotonic()
    while True:
        for _ in range(rate // STEPS):
            sender.sendto(BODY, places[at])
            at = (at + 1) % destinations
        due = max(due + 1 / STEPS, time.monotonic())
        time.sleep(max(0.0, due - time.monotonic()))


def receive(port: int) -> None:
    """Until it is killed."""
    receiver = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
    receiver.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4 << 20)
    receiver.bind(("0.0.0.0", port))
    print("ready", flush=True)
    buffer = bytearray(2048)
    while True:
        receiver.recv_into(buffer)


if __name__ == "__main__":
    numbers = [int(argument) for argument in sys.argv[2:]]
    if sys.argv[1] == "send":
        send(*numbers)
    else:
        receive(*numbers)
