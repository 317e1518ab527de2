"""What a route does to headers, as lines of the configuration in which no character can do harm."""

import re

from causeway.kube.routes import Header
from causeway.rooms.routes.model import Refused

TOKEN = re.compile(r"[A-Za-z0-9!#$%&'*+.^_`|~-]+", re.ASCII)
FRAMING = frozenset({"content-length", "transfer-encoding"})
"""Those that say where a message ends: who changed them would have HAProxy and others see other messages."""
_UNTOUCHABLE = FRAMING | {"strict-transport-security", "proxy", "host", "cookie", "set-cookie"}
_LONGEST = 16_384  # characters of a header, as in the schema of Routes
_TEXT = re.compile(r"[ -~]+", re.ASCII)


def header_line(direction: str, header: Header) -> str:
    """Return the line for a header of a ``direction`` (request, response); raises ``Refused``."""
    name, action = header.name, header.action
    value = action.set.value if action.set else ""
    if max(len(name), len(value)) > _LONGEST:
        raise Refused(f"spec.httpHeaders: header {name[:40]!r}: is longer than {_LONGEST} characters")
    if not TOKEN.fullmatch(name) or name.lower() in _UNTOUCHABLE:
        raise Refused(f"spec.httpHeaders: header {name!r} cannot be changed")
    if action.type == "Delete":
        return f"http-{direction} del-header {_quoted(name)}"
    fetch = "req" if direction == "request" else "res"
    form, conversions = r"(?:\{[-+]?[QXE](?:,[-+]?[QXE])*\})?", "(?:,lower|,base64)*"
    sample = rf"%{form}\[(?:{fetch}\.hdr\([A-Za-z0-9-]+(?:,-?[0-9]+)?\)|ssl_c_der){conversions}\]"
    plain = re.sub(sample, "", value.replace("%%", ""))
    if action.type != "Set" or not _TEXT.fullmatch(value) or "%" in plain:
        raise Refused(
            f"spec.httpHeaders: the value for {name} is not printable ASCII text, or has a % other "
            f"than %% and %[{fetch}.hdr(NAME)] or %[ssl_c_der] with ,lower and ,base64"
        )
    return f"http-{direction} set-header {_quoted(name)} {_quoted(value)}"


def _quoted(text: str) -> str:
    return "'" + text.replace("'", "'\\''") + "'"
