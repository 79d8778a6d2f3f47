"""Django's file storage and its file locks, from many threads and another process."""

import os
import subprocess
import sys
import threading
import time

import django
import pytest
from django.conf import settings

import hubcore
from tests.interplay.many import together

if not settings.configured:
    settings.configure(USE_TZ=True)
    django.setup()

from django.core.cache.backends.filebased import FileBasedCache
from django.core.files import locks
from django.core.files.base import ContentFile
from django.core.files.storage import FileSystemStorage

pytestmark = pytest.mark.usefixtures("hub")

HOLDER = """
import fcntl, sys
file = open(sys.argv[1], "r+b")
fcntl.flock(file, fcntl.LOCK_EX)
print(flush=True)
sys.stdin.read()
"""


def test_files_with_one_name_saved_at_once_all_stay(tmp_path):
    storage = FileSystemStorage(location=tmp_path)

    def save(number):
        return lambda: storage.save("name.txt", ContentFile(b"%d" % number * 1000))

    names = together([save(number) for number in range(20)])
    assert len(set(names)) == 20
    contents = set()
    for name in names:
        with storage.open(name) as file:
            contents.add(file.read())
    assert contents == {b"%d" % number * 1000 for number in range(20)}


def test_two_threads_lock_one_file(tmp_path):
    path, inside, most = tmp_path / "file", [], []

    def work():
        with open(path, "wb") as file:
            assert locks.lock(file, locks.LOCK_EX)
            inside.append(1)
            most.append(len(inside))
            time.sleep(0.01)
            inside.pop()
            locks.unlock(file)

    together([work] * 4)
    assert most == [1] * 4


def test_a_lock_of_another_process(tmp_path):
    path, ticks = tmp_path / "file", []
    path.write_bytes(b"")
    holder = subprocess.Popen(
        [sys.executable, "-S", "-c", HOLDER, str(path)], stdin=subprocess.PIPE, stdout=subprocess.PIPE
    )
    holder.stdout.readline()
    with open(path, "r+b") as file:
        assert not locks.lock(file, locks.LOCK_EX | locks.LOCK_NB)
        with pytest.raises(hubcore.Timeout), hubcore.Timeout(0.02):
            locks.lock(file, locks.LOCK_EX)
        thread = threading.Thread(target=lambda: (time.sleep(0.01), ticks.append(1), holder.stdin.close()))
        thread.start()
        assert locks.lock(file, locks.LOCK_EX)
        assert ticks == [1]
        assert locks.unlock(file)
    thread.join()
    holder.wait()
    holder.stdout.close()


def test_the_file_cache_from_many_threads(tmp_path):
    cache = FileBasedCache(os.fspath(tmp_path), {})

    def work(number):
        def run():
            for count in range(10):
                cache.set(f"key-{number}", count)
                assert cache.get(f"key-{number}") == count
                cache.set("shared", number)
                assert cache.get("shared") in range(8)
            return cache.touch("shared")

        return run

    assert together([work(number) for number in range(8)]) == [True] * 8
