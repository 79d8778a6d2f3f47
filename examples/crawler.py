"""A crawler: `hubcore run crawler.py URL [SECONDS]` reads all pages below URL, ten at a time, within SECONDS."""

import re
import sys
from urllib.parse import urljoin

import requests

from hubcore import TaskGroup, move_on_after
from hubcore.queue import JoinableQueue

LINK = re.compile(r'href="([^"#]+)')


class Crawler:
    def __init__(self, start):
        self.start = start
        self.seen = {start}
        self.failed = {}
        self.urls = JoinableQueue()
        self.session = requests.Session()

    def work(self):
        for url in self.urls:
            try:
                self.visit(url)
            except requests.RequestException as error:
                self.failed[url] = error
            finally:
                self.urls.task_done()

    def visit(self, url):
        page = self.session.get(url, timeout=10)
        page.raise_for_status()
        for link in LINK.findall(page.text):
            link = urljoin(url, link)
            if link.startswith(self.start) and link not in self.seen:
                self.seen.add(link)
                self.urls.put(link)

    def run(self, workers=10):
        """Crawl until no URL is left."""
        with TaskGroup() as group:
            for _ in range(workers):
                group.spawn(self.work)
            self.urls.put(self.start)
            self.urls.join()
            group.cancel("every page was visited")


def main(start, seconds=60):
    crawler = Crawler(start)
    with move_on_after(float(seconds)) as scope:
        crawler.run()
    print(len(crawler.seen), "pages,", len(crawler.failed), "failed", "(stopped)" if scope.cancelled_caught else "")


if __name__ == "__main__":
    main(*sys.argv[1:])
