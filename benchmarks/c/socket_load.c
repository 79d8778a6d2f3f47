/* A closed-loop load without streams: datagrams that are echoed, or connections that the server accepts and closes.
 *
 *   socket_load udp|accept PORT CLIENTS WARMUP_SECONDS SECONDS
 *
 * Each of the clients has one datagram of 100 bytes, or one connection, under way. Prints what echo_load prints. Only ever
 * talks to 127.0.0.1.
 */
#include "load.h"
#include <sys/socket.h>

enum { DATAGRAM = 100 };

struct client {
    int fd;
    uint64_t since;
};

static int poller;
static struct sockaddr_in server;

static void watch(struct client *c) {
    struct epoll_event event = {.events = EPOLLIN, .data.ptr = c};
    if (epoll_ctl(poller, EPOLL_CTL_ADD, c->fd, &event)) fail("epoll_ctl");
}

static void open_socket(struct client *c, int kind) {
    c->fd = socket(AF_INET, kind | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
    if (c->fd < 0) fail("socket");
    if (connect(c->fd, (struct sockaddr *)&server, sizeof server) && errno != EINPROGRESS) fail("connect");
}

static void ask(struct client *c, int stream) {
    static const char datagram[DATAGRAM];
    c->since = now();
    if (stream) {
        open_socket(c, SOCK_STREAM);
        watch(c);
    } else if (send(c->fd, datagram, DATAGRAM, 0) != DATAGRAM) fail("send");
}

/* 1 when the answer is there: the datagram, or the end of the connection. */
static int answer(struct client *c, int stream) {
    char data[DATAGRAM + 1];
    ssize_t n = recv(c->fd, data, sizeof data, 0);
    if (n < 0) {
        if (errno == EAGAIN || errno == EINTR) return 0;
        fail("recv");
    }
    errno = 0;
    if (n != (stream ? 0 : DATAGRAM)) fail("not the answer");
    if (stream) {
        /* By a reset: the server's side has nothing left to wait for then, and whoever is measured next starts clean. */
        struct linger none = {.l_onoff = 1, .l_linger = 0};
        if (setsockopt(c->fd, SOL_SOCKET, SO_LINGER, &none, sizeof none)) fail("setsockopt");
        close(c->fd);
    }
    return 1;
}

int main(int argc, char **argv) {
    if (argc != 6) {
        fprintf(stderr, "usage: socket_load udp|accept PORT CLIENTS WARMUP_SECONDS SECONDS\n");
        return 2;
    }
    int stream = !strcmp(argv[1], "accept"), clients = atoi(argv[3]);
    double warmup = atof(argv[4]), seconds = atof(argv[5]);
    struct client *all = calloc((size_t)clients, sizeof *all);
    poller = epoll_create1(EPOLL_CLOEXEC);
    if (!all || poller < 0) fail("setting up");
    server = server_at(argv[2]);
    for (int i = 0; i < clients; i++) {
        if (!stream) {
            open_socket(&all[i], SOCK_DGRAM);
            watch(&all[i]);
        }
        ask(&all[i], stream);
    }
    uint64_t start = now() + (uint64_t)(warmup * 1e9), end = start + (uint64_t)(seconds * 1e9), t;
    struct epoll_event events[256];
    while ((t = now()) < end) {
        int ready = epoll_wait(poller, events, 256, 100);
        if (ready < 0 && errno != EINTR) fail("epoll_wait");
        for (int i = 0; i < ready; i++) {
            struct client *c = events[i].data.ptr;
            if (!answer(c, stream)) continue;
            t = now();
            answered++;
            if (t >= start && t < end) record(t - c->since);
            ask(c, stream);
        }
    }
    report(seconds);
    return 0;
}
