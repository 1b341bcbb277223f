"""The container's health check: 0 while the worker makes progress (or has nothing to do), else 1 and why."""

import os
import sys
import urllib.error
import urllib.request

TIMEOUT_S = 3


def main() -> int:
    port = os.environ.get("SEGMENTS_METRICS_PORT", "9464")
    url = f"http://127.0.0.1:{port}/live"
    try:
        with urllib.request.urlopen(url, timeout=TIMEOUT_S) as response:
            response.read()
    except urllib.error.HTTPError as error:
        print(f"not live: {error.code} {error.read(500).decode(errors='replace')}")
        return 1
    except OSError as error:
        print(f"no answer from {url}: {error}")
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
