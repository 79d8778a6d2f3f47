/* The limit of the network cases: a server in C on libev, one thread, which tries to write before it waits to.
 *
 *   echo_server [echo|large|udp|accept]
 *
 * listens on a free port of 127.0.0.1, prints the port and serves until it is killed, at most two minutes: echoes by TCP,
 * reading 4 KiB or 64 KiB at once, echoes datagrams, or closes each connection.
 */
#define _GNU_SOURCE
#include <arpa/inet.h>
#include <errno.h>
#include <ev.h>
#include <netinet/tcp.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

static size_t chunk = 4096;
static char buffer[65536];

struct connection {
    ev_io io;
    char *pending; /* what the peer does not take yet; allocated only then */
    size_t start, length;
};

static void drop(struct ev_loop *loop, struct connection *c) {
    ev_io_stop(loop, &c->io);
    close(c->io.fd);
    free(c->pending);
    free(c);
}

static void turn_to(struct ev_loop *loop, struct connection *c, int events) {
    ev_io_stop(loop, &c->io);
    ev_io_set(&c->io, c->io.fd, events);
    ev_io_start(loop, &c->io);
}

static int would_block(void) { return errno == EAGAIN || errno == EINTR; }

static void on_writable(struct ev_loop *loop, struct connection *c) {
    ssize_t n = send(c->io.fd, c->pending + c->start, c->length, MSG_NOSIGNAL);
    if (n < 0) {
        if (!would_block()) drop(loop, c);
        return;
    }
    c->start += (size_t)n;
    c->length -= (size_t)n;
    if (!c->length) turn_to(loop, c, EV_READ);
}

static void on_readable(struct ev_loop *loop, struct connection *c) {
    ssize_t n = recv(c->io.fd, buffer, chunk, 0);
    if (n <= 0) {
        if (n == 0 || !would_block()) drop(loop, c);
        return;
    }
    ssize_t sent = send(c->io.fd, buffer, (size_t)n, MSG_NOSIGNAL);
    if (sent < 0) {
        if (!would_block()) {
            drop(loop, c);
            return;
        }
        sent = 0;
    }
    if (sent < n) {
        if (!c->pending) c->pending = malloc(chunk);
        if (!c->pending) abort();
        c->start = 0;
        c->length = (size_t)(n - sent);
        memcpy(c->pending, buffer + sent, c->length);
        turn_to(loop, c, EV_WRITE);
    }
}

static void on_connection(struct ev_loop *loop, ev_io *io, int events) {
    if (events & EV_WRITE) on_writable(loop, (struct connection *)io);
    else on_readable(loop, (struct connection *)io);
}

static void on_listener(struct ev_loop *loop, ev_io *io, int events) {
    (void)events;
    int fd, on = 1;
    while ((fd = accept4(io->fd, NULL, NULL, SOCK_NONBLOCK | SOCK_CLOEXEC)) >= 0) {
        setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof on);
        struct connection *c = calloc(1, sizeof *c);
        if (!c) abort();
        ev_io_init(&c->io, on_connection, fd, EV_READ);
        ev_io_start(loop, &c->io);
    }
}

static void on_listener_that_closes(struct ev_loop *loop, ev_io *io, int events) {
    (void)loop, (void)events;
    int fd;
    while ((fd = accept4(io->fd, NULL, NULL, SOCK_NONBLOCK | SOCK_CLOEXEC)) >= 0) close(fd);
}

static void on_datagram(struct ev_loop *loop, ev_io *io, int events) {
    (void)loop, (void)events;
    struct sockaddr_in peer;
    socklen_t length = sizeof peer;
    ssize_t n;
    while ((n = recvfrom(io->fd, buffer, chunk, 0, (struct sockaddr *)&peer, &length)) >= 0)
        sendto(io->fd, buffer, (size_t)n, 0, (struct sockaddr *)&peer, length);
}

int main(int argc, char **argv) {
    const char *kind = argc > 1 ? argv[1] : "echo";
    int udp = !strcmp(kind, "udp");
    if (!strcmp(kind, "large")) chunk = sizeof buffer;
    struct sockaddr_in address = {.sin_family = AF_INET};
    socklen_t length = sizeof address;
    address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    int listener = socket(AF_INET, (udp ? SOCK_DGRAM : SOCK_STREAM) | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
    if (listener < 0 || bind(listener, (struct sockaddr *)&address, length) || (!udp && listen(listener, 4096)) ||
        getsockname(listener, (struct sockaddr *)&address, &length)) {
        perror("echo_server");
        return 1;
    }
    alarm(120);
    printf("%d\n", ntohs(address.sin_port));
    fflush(stdout);
    struct ev_loop *loop = ev_default_loop(0);
    ev_io io;
    ev_io_init(&io, udp ? on_datagram : strcmp(kind, "accept") ? on_listener : on_listener_that_closes, listener, EV_READ);
    ev_io_start(loop, &io);
    ev_run(loop, 0);
    return 0;
}
