"""What `helm test` runs: the release is ready, and it answers those alone whom it should."""

import json
import os
import sys
import time
import urllib.error
import urllib.request


def ask(url: str, body: object = None, **headers: str) -> tuple[int, str]:
    """Return the status and the text of an answer."""
    data = None if body is None else json.dumps(body).encode()
    headers = {"Content-Type": "application/json", **headers}
    request = urllib.request.Request(url, data, headers)  # noqa: S310 - an address of the chart
    try:
        with urllib.request.urlopen(request, timeout=10) as answer:  # noqa: S310
            return answer.status, answer.read().decode()
    except urllib.error.HTTPError as error:
        return error.code, error.read().decode()


def wait(seconds: float) -> tuple[int, str]:
    """Wait until the release is ready: pods start, and network policies take effect late."""
    ends = time.monotonic() + seconds
    while True:
        try:
            answer = ask(os.environ["ADMIN"] + "/readyz")
        except OSError as error:
            answer = 0, f"no answer within {seconds:g} s: {error}"
        if answer[0] == 200 or time.monotonic() > ends:
            return answer
        time.sleep(0.5)


def check(what: str, answer: tuple[int, str], wanted: int) -> None:
    """Say what was answered; end with an error if it is not what was wanted."""
    status, text = answer
    sys.stdout.write(f"{what}: {status}, wanted {wanted}\n")
    if status != wanted:
        sys.exit(text)


classify = os.environ["SERVICE"] + "/v1/classify"
text = {"text": "I love it."}
check("readiness", wait(float(os.environ.get("SECONDS_TO_WAIT", "30"))), 200)
if os.environ["ANONYMOUS"] == "true":
    check("a text", ask(classify, text), 200)
else:
    check("a text without a key", ask(classify, text), 401)
if key := os.environ.get("KEY"):
    check("a text with the key", ask(classify, text, **{"X-API-Key": key}), 200)
