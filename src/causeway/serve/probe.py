"""Asks a health socket: ``python3 -m causeway.serve.probe SOCKET PATH`` ends with 0 if the answer is 200.

For a kubelet's exec probes, where pods of one node may have no port of their own. It imports next to nothing:
each probe is a process of its own.
"""

import socket
import sys

_SECONDS = 5.0


def ask(path: str, url: str) -> tuple[int, str]:
    """Return the HTTP status that the socket at ``path`` answers, and the text; raises ``OSError``."""
    with socket.socket(socket.AF_UNIX) as connection:
        connection.settimeout(_SECONDS)
        connection.connect(path)
        connection.sendall(f"GET {url} HTTP/1.0\r\n\r\n".encode())
        answer = b""
        while part := connection.recv(4096):
            answer += part
    head, _, text = answer.decode(errors="replace").partition("\r\n\r\n")
    words = head.split(maxsplit=2)
    return (int(words[1]) if len(words) > 1 and words[1].isdigit() else 0), text.strip()


def main(arguments: list[str]) -> int:
    """Print what is answered; return 0 if all is well."""
    path, url = arguments
    try:
        status, text = ask(path, url)
    except OSError as error:
        status, text = 0, f"{path}: {error}"
    print(text)
    return 0 if status == 200 else 1


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
