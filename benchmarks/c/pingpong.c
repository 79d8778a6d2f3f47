/* The limit of the socketpair ping-pong: both ends in one thread, each a watcher on one libev loop.
 *
 *   pingpong SIZE SECONDS
 *
 * prints one line of JSON: microseconds per round trip.
 */
#define _GNU_SOURCE
#include <ev.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <time.h>

static size_t size;
static char message[65536];
static long trips;
static double start, limit;

static double now(void) {
    struct timespec t;
    clock_gettime(CLOCK_MONOTONIC, &t);
    return (double)t.tv_sec + (double)t.tv_nsec / 1e9;
}

/* Messages this small pass through a socketpair whole. */
static void bounce(ev_io *io) {
    char buffer[65536];
    if (recv(io->fd, buffer, sizeof buffer, 0) != (ssize_t)size || send(io->fd, buffer, size, 0) != (ssize_t)size) {
        perror("pingpong");
        exit(1);
    }
}

static void on_pong(struct ev_loop *loop, ev_io *io, int events) {
    (void)loop, (void)events;
    bounce(io);
}

static void on_ping(struct ev_loop *loop, ev_io *io, int events) {
    (void)events;
    bounce(io);
    if (++trips % 256 == 0 && now() - start >= limit) ev_break(loop, EVBREAK_ALL);
}

int main(int argc, char **argv) {
    if (argc != 3) return 2;
    size = (size_t)atol(argv[1]);
    limit = atof(argv[2]);
    int ends[2];
    if (size < 1 || size > 4096 || socketpair(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK, 0, ends)) return 2;
    memset(message, 'x', size);
    struct ev_loop *loop = ev_default_loop(0);
    ev_io ping, pong;
    ev_io_init(&ping, on_ping, ends[0], EV_READ);
    ev_io_init(&pong, on_pong, ends[1], EV_READ);
    ev_io_start(loop, &ping);
    ev_io_start(loop, &pong);
    start = now();
    if (send(ends[0], message, size, 0) != (ssize_t)size) return 1;
    ev_run(loop, 0);
    printf("{\"microseconds\": %.4f, \"round_trips\": %ld}\n", (now() - start) / (double)trips * 1e6, trips);
    return 0;
}
