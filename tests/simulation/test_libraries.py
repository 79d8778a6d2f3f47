"""Libraries that know nothing of simulations: their connections live through kills and partitions, and replay."""

import http.client
import ssl
import threading
import urllib.request
from contextlib import suppress
from functools import partial

import pytest

from tests.simulation import stand_ins
from tests.simulation.test_programs import Handler, web
from tests.simulation.worlds import twice


def by_requests(requests, simulation):
    host = simulation.host("web", web, 8080)
    session = requests.Session()
    sizes = [len(session.get(f"http://web:8080/{number}").content) for number in range(5)]
    simulation.partition("test", "web")
    with pytest.raises(requests.ReadTimeout):
        session.get("http://web:8080/", timeout=3)
    simulation.heal()
    sizes.append(len(session.get("http://web:8080/").content))
    host.kill()
    with pytest.raises(requests.ConnectionError):
        session.get("http://web:8080/")
    with pytest.raises(requests.ConnectionError, match="resolve"):
        session.get("http://nowhere/")
    return sizes


def test_requests():
    assert twice(partial(by_requests, pytest.importorskip("requests"))) == [1000] * 6


def by_urllib3(urllib3, simulation):
    host = simulation.host("web", web)
    pool = urllib3.PoolManager(timeout=3, retries=urllib3.Retry(3, backoff_factor=2))
    sizes = [len(pool.request("GET", "http://web/").data)]
    host.kill()
    threading.Timer(5, host.start).start()
    sizes.append(len(pool.request("GET", "http://web/").data))  # its retries wait until the host is back
    simulation.partition("test", "web")
    with pytest.raises(urllib3.exceptions.MaxRetryError):
        pool.request("GET", "http://web/")
    return sizes, pool.connection_from_url("http://web/").num_connections


def test_urllib3():
    sizes, connections = twice(partial(by_urllib3, pytest.importorskip("urllib3")))
    assert sizes == [1000] * 2
    assert connections >= 2


def by_redis(redis, simulation):
    stand_ins.Redis.values = {}
    host = simulation.host("cache", stand_ins.serve, stand_ins.Redis, 6379)
    client = redis.Redis(host="cache", protocol=2, socket_timeout=5)

    def work():
        for _ in range(10):
            client.incr("x")

    threads = [threading.Thread(target=work) for _ in range(5)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    total = client.get("x")
    host.pause()
    with pytest.raises(redis.TimeoutError):
        client.get("x")
    host.resume()
    return total, client.get("x")


def test_redis_py():
    assert twice(partial(by_redis, pytest.importorskip("redis"))) == (b"50", b"50")


def by_pymysql(pymysql, simulation):
    stand_ins.Mysql.total = 0
    host = simulation.host("db", stand_ins.serve, stand_ins.Mysql, 3306)

    def connect():
        return pymysql.connect(host="db", user="u", password="p", database="d", connect_timeout=3, read_timeout=3)

    def add(count):
        with connect() as connection, connection.cursor() as cursor:
            for _ in range(count):
                cursor.execute("UPDATE t SET n = n + 1")

    def total():
        with connect() as connection, connection.cursor() as cursor:
            cursor.execute("SELECT n FROM t")
            return cursor.fetchall()

    threads = [threading.Thread(target=add, args=(5,)) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    found = [total()]
    connection = connect()
    host.kill()
    with pytest.raises(pymysql.OperationalError), connection.cursor() as cursor:
        cursor.execute("SELECT n FROM t")
    with pytest.raises(pymysql.OperationalError, match="refused"):
        connect()
    host.start()
    found.append(total())
    return found


def test_pymysql():
    assert twice(partial(by_pymysql, pytest.importorskip("pymysql"))) == [((20,),)] * 2


def by_pymongo(pymongo, simulation):
    stand_ins.Mongo.documents = []
    host = simulation.host("db", stand_ins.serve, stand_ins.Mongo, 27017)
    client = pymongo.MongoClient("db", serverSelectionTimeoutMS=20_000, socketTimeoutMS=3000, retryWrites=False)
    things = client.shop.things
    things.insert_one({"_id": 1})
    things.insert_many([{"_id": number} for number in (2, 3)])
    simulation.partition("test", "db")
    with pytest.raises(pymongo.errors.PyMongoError):
        things.find_one()
    simulation.heal()
    host.kill()
    host.start()
    with suppress(pymongo.errors.AutoReconnect):
        things.find_one()  # on a connection from before
    found = [each["_id"] for each in things.find()]
    client.close()
    return found


def test_pymongo():
    pymongo = pytest.importorskip("pymongo")
    assert twice(partial(by_pymongo, pymongo)) == [1, 2, 3]


@pytest.fixture(scope="module")
def files(tmp_path_factory):
    """A certificate for the host "web", with its key, and the authority's. RSA: its signatures have one size."""
    trustme = pytest.importorskip("trustme")
    folder = tmp_path_factory.mktemp("tls")
    authority = trustme.CA(key_type=trustme.KeyType.RSA)
    leaf = authority.issue_cert("web", key_type=trustme.KeyType.RSA)
    authority.cert_pem.write_to_path(folder / "ca.pem")
    leaf.private_key_and_cert_chain_pem.write_to_path(folder / "leaf.pem")
    return str(folder / "ca.pem"), str(folder / "leaf.pem")


def serve_tls(leaf):
    from http.server import ThreadingHTTPServer

    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(leaf)
    server = ThreadingHTTPServer(("", 443), Handler)
    server.socket = context.wrap_socket(server.socket, server_side=True)
    server.serve_forever()


def by_tls(authority, leaf, simulation):
    host = simulation.host("web", serve_tls, leaf)
    simulation.link("test", "web", loss=0.05)
    context = ssl.create_default_context(cafile=authority)
    sizes = []
    for number in range(2):
        with urllib.request.urlopen(f"https://web/{number}", context=context) as answer:
            sizes.append(len(answer.read()))
    connection = http.client.HTTPSConnection("web", context=context, timeout=3)
    for _ in range(2):  # on one connection
        connection.request("GET", "/")
        sizes.append(len(connection.getresponse().read()))
    connection.request("GET", "/60")
    with pytest.raises(TimeoutError):
        connection.getresponse()
    host.kill()
    with pytest.raises(OSError):
        urllib.request.urlopen("https://web/", context=context)
    return sizes


def test_tls(files):
    assert twice(partial(by_tls, *files)) == [1000] * 4
