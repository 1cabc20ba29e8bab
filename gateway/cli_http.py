"""One question to a running gateway, from the command line."""

import json
from http.client import HTTPConnection, HTTPException
from typing import Any, Final
from urllib.parse import urlsplit

from engine.limits import DEADLINE_MS_MAX
from gateway.cli_output import ExitCode, Stop

DEFAULT_URL: Final = "http://127.0.0.1:8080"
#: The longest deadline a request can have, and some time for the way.
_DEADLINE: Final = {"X-Deadline-Ms": str(DEADLINE_MS_MAX)}
ANSWER_SECONDS_MAX: Final = DEADLINE_MS_MAX / 1000 + 10
#: An audit without a deadline takes what it needs: seconds for a million reservations.
PATIENT_SECONDS_MAX: Final = 3_600.0


def ask(
    url: str, method: str, path: str, body: Any = None, *, patient: bool = False
) -> tuple[int, Any]:
    """(status, JSON answer) of a request; ``patient``: without a deadline.

    Raises Stop as ``_exchanged`` does, and where the answer is not JSON.
    """
    status, answer = _exchanged(url, method, path, body, patient=patient)
    try:
        return status, json.loads(answer)
    except ValueError as strange:
        raise _stranger(url) from strange


def fetch(url: str, path: str) -> bytes:
    """What a GET that must succeed answers, as it is. Raises Stop."""
    status, answer = _exchanged(url, "GET", path)
    if status >= 400:
        try:
            detail = json.loads(answer)["detail"]
        except (ValueError, KeyError, TypeError) as strange:
            raise _stranger(url) from strange
        raise Stop(ExitCode.NO_START, f"{path}: {status} {detail}")
    return answer


def _exchanged(
    url: str, method: str, path: str, body: Any = None, *, patient: bool = False
) -> tuple[int, bytes]:
    """(status, answer) of a request.

    Raises Stop: wrong usage for a URL that is none, cannot reach for a gateway that is not there.
    """
    parts = urlsplit(url)
    try:
        port = parts.port or 80
    except ValueError:
        port = 0
    if parts.scheme != "http" or not parts.hostname or not port or parts.path not in ("", "/"):
        raise Stop(ExitCode.USAGE, f"--url {url} is no gateway's address; give http://HOST:PORT")
    seconds_max = PATIENT_SECONDS_MAX if patient else ANSWER_SECONDS_MAX
    connection = HTTPConnection(parts.hostname, port, timeout=seconds_max)
    try:
        headers: dict[str, str] = {} if patient else dict(_DEADLINE)
        if body is not None:
            headers["Content-Type"] = "application/json"
        sent = None if body is None else json.dumps(body)
        connection.request(method, path, sent, headers)
        answer = connection.getresponse()
        return answer.status, answer.read()
    except (OSError, HTTPException) as away:
        next_step = (
            f"no gateway answers at {url} ({away}); start one with `tidegate up` or give --url"
        )
        raise Stop(ExitCode.NO_START, next_step) from away
    finally:
        connection.close()


def ask_well(url: str, method: str, path: str, body: Any = None, *, patient: bool = False) -> Any:
    """The answer of a request that must succeed. Raises Stop."""
    status, answer = ask(url, method, path, body, patient=patient)
    if not isinstance(answer, dict):
        raise _stranger(url)
    if status >= 400:
        detail = answer.get("detail") or answer.get("title") or "no reason given"
        next_step = f"{path}: {status} {detail}; see `tidegate status --url {url}`"
        raise Stop(ExitCode.NO_START, next_step)
    return answer


def ask_readiness(url: str) -> tuple[bool, list[str]]:
    """Whether the gateway is ready, and why not. Raises Stop."""
    _, answer = ask(url, "GET", "/readyz")
    match answer:
        case {"ready": bool(ready), "reasons": [*reasons]}:
            return ready, reasons
        case _:
            raise _stranger(url)


def _stranger(url: str) -> Stop:
    next_step = (
        f"what answers at {url} is not Tidegate; give the address that `tidegate up` printed"
    )
    return Stop(ExitCode.NO_START, next_step)
