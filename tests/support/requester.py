"""Makes requests and tells what came of them: imported by tests, and run as it stands by a pod's Python.

So it needs nothing but the standard library. As a program it reads a JSON list of requests from stdin, makes all
of them at once, each on a connection of its own, and writes a JSON list of answers.
"""

import http.client
import json
import sys
import time
import urllib.parse
from concurrent.futures import ThreadPoolExecutor
from typing import Any


def ask(wanted: dict[str, Any]) -> dict[str, Any]:
    """Make one request: url, method, headers, body, timeout. Status 0: there was no answer, and the body says why."""
    url = urllib.parse.urlsplit(wanted["url"])
    path = (url.path or "/") + (f"?{url.query}" if url.query else "")
    began = time.monotonic()
    connection = http.client.HTTPConnection(url.hostname, url.port or 80, timeout=wanted["timeout"])
    try:
        connection.request(wanted["method"], path, body=wanted["body"], headers=wanted["headers"])
        answer = connection.getresponse()
        status, body = answer.status, answer.read().decode(errors="replace")
        headers = {name.lower(): value for name, value in answer.getheaders()}
    except (OSError, http.client.HTTPException) as error:
        status, headers, body = 0, {}, repr(error)
    finally:
        connection.close()
    return {"status": status, "headers": headers, "body": body, "seconds": time.monotonic() - began}


if __name__ == "__main__":
    requests = json.load(sys.stdin)
    with ThreadPoolExecutor(len(requests)) as pool:
        json.dump(list(pool.map(ask, requests)), sys.stdout)
