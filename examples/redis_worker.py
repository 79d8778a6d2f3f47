"""A worker for jobs in Redis: `hubcore run redis_worker.py [PORT]`. On SIGTERM it finishes what it has begun.

redis-cli rpush jobs '{"number": 7}'
redis-cli blpop results 0
"""

import json
import signal
import sys
import threading
import time

import redis

WORKERS = 20
stop = threading.Event()


def work(client):
    """Take one job after another. Each of the workers waits on a connection of its own."""
    while not stop.is_set():
        taken = client.blpop("jobs", timeout=1)
        if taken is not None:
            job = json.loads(taken[1])
            time.sleep(0.1)  # the work: a request, a query, a mail
            client.rpush("results", json.dumps({**job, "square": job["number"] ** 2}))


def main(port=6379):
    client = redis.Redis(port=int(port), max_connections=WORKERS)
    signal.signal(signal.SIGTERM, lambda *_: stop.set())
    workers = [threading.Thread(target=work, args=(client,)) for _ in range(WORKERS)]
    for worker in workers:
        worker.start()
    print(WORKERS, "workers", flush=True)
    for worker in workers:
        worker.join()
    client.close()
    print("stopped")


if __name__ == "__main__":
    main(*sys.argv[1:])
