"""A stand-in for a worker process: it does with a query what the query's text says."""

import json
import os
import sys
import time


def main() -> None:
    sys.stdin.readline()  # the settings
    for line in sys.stdin:
        task = json.loads(line)
        match task.get("text", "").split():
            case ["say", word]:
                answer({"type": "told", "words": "at it"})
                body = f"{word} {os.getpid()}".encode()
                answer({"type": "done", "bytes": len(body), "rows": 1}, body)
            case ["refuse", code]:
                answer({"type": "refused", "status": 422, "code": code, "reason": "so it is"})
            case ["break"]:
                answer({"type": "done", "bytes": 100, "rows": 1}, b"too little")
                sys.exit(1)
            case ["sleep"]:
                time.sleep(600)
            case _:
                sys.exit(1)


def answer(reply: dict[str, object], body: bytes = b"") -> None:
    sys.stdout.buffer.write(json.dumps(reply).encode() + b"\n" + body)
    sys.stdout.buffer.flush()


main()
