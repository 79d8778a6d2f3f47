"""pymongo: waits for a server that there is not, while other greenlets go on."""

from gevent import monkey

monkey.patch_all()

from common import Ticks, free_port, run  # noqa: E402
from pymongo import MongoClient  # noqa: E402
from pymongo.errors import ServerSelectionTimeoutError  # noqa: E402


def main():
    ticks = Ticks()
    client = MongoClient("127.0.0.1", free_port(), serverSelectionTimeoutMS=500)
    try:
        client.admin.command("ping")
        raise AssertionError("there is no server")
    except ServerSelectionTimeoutError:
        pass
    client.close()
    ticks.end(10)


run(main)
