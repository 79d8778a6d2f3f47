"""A program whose locks exist before it patches threads, while another native thread runs. It ends with "fine"."""

EXISTING_LOCKS = """
import logging, sys, threading, _thread

lock, go = threading.RLock(), _thread.allocate_lock()
go.acquire()
native = threading.Thread(target=go.acquire, name="native")
native.start()
import hubcore
from hubcore.monkey import patch_thread
from hubcore.thread import RLock

patch_thread(logging=False, existing_locks=False)
assert type(lock) is type(logging._lock) is not RLock
patch_thread()
assert type(lock) is not RLock and type(logging._lock) is RLock  # logging's own cannot wait

native.join(0)
assert native.is_alive() and native.name == "native"
ticks = []
hubcore.spawn(lambda: (ticks.append(1), go.release()))
native.join()  # lets the greenlet run
assert ticks and not native.is_alive()
print("fine")
"""
