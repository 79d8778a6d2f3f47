"""gipc: a child process with a pipe in both directions, while greenlets of the parent go on."""

import gevent
import gipc
from common import Ticks, run


def child(pipe):
    for _ in range(20):
        pipe.put(pipe.get() * 2)
    gevent.sleep(0.05)


def main():
    ticks = Ticks()
    with gipc.pipe(duplex=True) as (mine, its):
        process = gipc.start_process(target=child, args=(its,))
        for number in range(20):
            mine.put(number)
            assert mine.get() == 2 * number
            gevent.sleep(0.005)
        process.join()
        assert process.exitcode == 0, process.exitcode
    ticks.end(5)


if __name__ == "__main__":
    run(main)
