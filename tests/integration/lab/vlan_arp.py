"""Run inside a server: asks for the gateway of a trunk's subport, in frames that carry its VLAN.

No help of the kernel's VLAN devices, which a small machine lacks. Arguments: VLAN, MAC, address, gateway.
"""

import socket
import struct
import sys
import time

ARP, VLAN, ALL = 0x0806, 0x8100, 0x0003
SOL_PACKET, PACKET_ADD_MEMBERSHIP, PACKET_MR_PROMISC = 263, 1, 1


def main() -> None:
    """Ask until the gateway answers or 120 seconds are over."""
    vlan, mac = int(sys.argv[1]), bytes.fromhex(sys.argv[2].replace(":", ""))
    own, gateway = (socket.inet_aton(address) for address in sys.argv[3:])
    wire = socket.socket(socket.AF_PACKET, socket.SOCK_RAW, socket.htons(ALL))
    wire.bind(("eth0", 0))
    wire.settimeout(0.5)
    index = socket.if_nametoindex("eth0")
    wire.setsockopt(SOL_PACKET, PACKET_ADD_MEMBERSHIP, struct.pack("iHH8s", index, PACKET_MR_PROMISC, 0, b""))
    ethernet = b"\xff" * 6 + mac + struct.pack("!HHH", VLAN, vlan, ARP)
    question = ethernet + struct.pack("!HHBBH", 1, 0x0800, 6, 4, 1) + mac + own + bytes(6) + gateway
    deadline = time.monotonic() + 120
    while time.monotonic() < deadline:
        wire.send(question)
        if answered(wire, mac, gateway):
            return
    sys.exit("no answer")


def answered(wire: socket.socket, mac: bytes, gateway: bytes) -> bool:
    """Return whether the answer comes within half a second; the kernel has taken the VLAN off it."""
    deadline = time.monotonic() + 0.5
    while time.monotonic() < deadline:
        try:
            frame = wire.recv(2048)
        except TimeoutError:
            return False
        if frame[:6] == mac and frame[12:14] == ARP.to_bytes(2, "big") and frame[28:32] == gateway:
            return True
    return False


if __name__ == "__main__":
    main()
