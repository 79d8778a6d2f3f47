"""Libraries that wait in their own C code, out of reach of any patch: how to recognise each, and what to do.

While such a library waits, every greenlet of the thread waits. The table has widely used ones; the monitor sees all
others that block (`hubcore doctor`).
"""

from __future__ import annotations

import sys

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable

_IN_THREADS = "call it in native threads: hubcore.get_hub().threadpool.apply(function, arguments)"

#: A module whose presence shows that the library is loaded; the library; the remedy.
TABLE = [
    (
        "psycopg2._psycopg",
        "psycopg2",
        "call psycopg2.extensions.set_wait_callback() with a function over hubcore.socket.wait_read and wait_write",
    ),
    ("psycopg_c", "psycopg (C)", "patch select, or set PSYCOPG_WAIT_FUNC=wait_poll"),
    ("psycopg_binary", "psycopg (binary)", "patch select, or set PSYCOPG_WAIT_FUNC=wait_poll"),
    ("MySQLdb._mysql", "mysqlclient", "use PyMySQL, which is pure Python (pymysql.install_as_MySQLdb())"),
    ("_mysql_connector", "MySQL Connector's C part", "connect with mysql.connector.connect(use_pure=True)"),
    ("pymssql._mssql", "pymssql", "call pymssql.set_wait_callback() with hubcore.socket.wait_read, or use python-tds"),
    ("cx_Oracle", "cx_Oracle", "use python-oracledb in its thin mode, which is pure Python"),
    ("pyodbc", "pyodbc", _IN_THREADS),
    ("ibm_db", "ibm_db", _IN_THREADS),
    (
        "confluent_kafka.cimpl",
        "confluent_kafka (librdkafka)",
        f"use kafka-python; or {_IN_THREADS}",
    ),
    ("grpc._cython.cygrpc", "grpcio", f"patch threads: its calls then wait cooperatively; or {_IN_THREADS}"),
    ("pylibmc", "pylibmc (libmemcached)", "use pymemcache, which is pure Python"),
    ("_pylibmc", "pylibmc (libmemcached)", "use pymemcache, which is pure Python"),
    ("pycurl", "pycurl", f"use requests, urllib3 or httpx; or {_IN_THREADS}"),
    ("zmq.backend.cython._zmq", "pyzmq", "wait for the socket's fd with hubcore.socket.wait_read and use NOBLOCK"),
    ("_ldap", "python-ldap", f"use ldap3, which is pure Python; or {_IN_THREADS}"),
    ("aerospike", "aerospike", _IN_THREADS),
    ("couchbase.pycbc_core", "couchbase", _IN_THREADS),
    ("pyarrow._flight", "pyarrow.flight", _IN_THREADS),
]


class Driver:
    """A library that was found: its name `library`, the `module` that shows it, and the `remedy`."""

    __slots__ = ("library", "module", "remedy")

    def __init__(self, library: str, module: str, remedy: str) -> None:
        self.library = library
        self.module = module
        self.remedy = remedy

    def __str__(self) -> str:
        return f"{self.library} waits in C and blocks all greenlets; {self.remedy}"


def find() -> list[Driver]:
    """Return the libraries of the table that are imported now and not set to wait cooperatively."""
    found: dict[str, Driver] = {}
    for module, library, remedy in TABLE:
        if module in sys.modules and not _is_cooperative(library):
            found.setdefault(library, Driver(library, module, remedy))
    return list(found.values())


def _is_cooperative(library: str) -> bool:
    ask = _ASK.get(library)
    try:
        return ask is not None and ask()
    except Exception:
        return False  # another version of the library, without the attribute


def _psycopg2_is() -> bool:
    return sys.modules["psycopg2.extensions"].get_wait_callback() is not None


def _psycopg_is() -> bool:
    return str(sys.modules["psycopg.waiting"].wait.__name__) != "wait_c"


def _grpc_is() -> bool:
    channel = sys.modules["grpc._channel"]
    return str(channel._UnaryUnaryMultiCallable._blocking.__module__) == "hubcore._patching.libraries.grpc"


_ASK: dict[str, Callable[[], bool]] = {
    "psycopg2": _psycopg2_is,
    "grpcio": _grpc_is,
    "psycopg (C)": _psycopg_is,
    "psycopg (binary)": _psycopg_is,
}
