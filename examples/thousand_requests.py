"""A thousand requests at once: `hubcore run thousand_requests.py URL [NUMBER]`.

Nothing here is hubcore's. With plain python it needs a thousand native threads.
"""

import sys
import time
from concurrent.futures import ThreadPoolExecutor

import requests


def main(url, number="1000"):
    begin = time.monotonic()
    with ThreadPoolExecutor(int(number)) as pool:
        pages = list(pool.map(requests.get, [url] * int(number)))
    good = sum(page.ok for page in pages)
    print(f"{good} pages in {time.monotonic() - begin:.1f} s")


if __name__ == "__main__":
    main(*sys.argv[1:])
