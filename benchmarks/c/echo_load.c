/* A TCP echo load, or, built with -DTLS, one of TLS: N connections, each with one message of fixed size under way.
 *
 *   echo_load PORT CONNECTIONS SIZE WARMUP_SECONDS SECONDS [RATE]
 *
 * prints one line of JSON: requests per second and the median, 99th percentile and maximum of their latency, over SECONDS
 * after WARMUP_SECONDS; and how many there were with the warm-up's. Every echo is compared with what was sent. Only ever
 * talks to 127.0.0.1.
 *
 * Without RATE each connection asks again as soon as it is answered. With it all of them together ask RATE times a
 * second, at times laid down beforehand, and a latency counts from there: also of what had to be asked late, because the
 * answer before it was. Until the next time it looks for answers without ever sleeping.
 */
#include "load.h"
#include <fcntl.h>
#include <netinet/tcp.h>
#ifdef TLS
#include <openssl/ssl.h>
#endif

struct connection {
    int fd;
#ifdef TLS
    SSL *ssl;
#endif
    size_t sent, received;
    int want_write;
    uint64_t since; /* when it asked, or was to */
    int waiting; /* for an answer */
};

static char *message, *answer;
static size_t size;
static int poller;
static void watch(struct connection *c, int operation, int want_write) {
    struct epoll_event event = {.events = EPOLLIN | (want_write ? EPOLLOUT : 0), .data.ptr = c};
    if (epoll_ctl(poller, operation, c->fd, &event)) fail("epoll_ctl");
    c->want_write = want_write;
}

#ifdef TLS
static SSL_CTX *context;

static ssize_t unless_it_waits(struct connection *c, int n) {
    int error = SSL_get_error(c->ssl, n);
    errno = error == SSL_ERROR_WANT_READ || error == SSL_ERROR_WANT_WRITE ? EAGAIN : EPROTO;
    return n > 0 ? n : error == SSL_ERROR_ZERO_RETURN ? 0 : -1;
}

static ssize_t transmit(struct connection *c, const char *data, size_t n) {
    return unless_it_waits(c, SSL_write(c->ssl, data, (int)n));
}

static ssize_t receive(struct connection *c, char *data, size_t n) {
    return unless_it_waits(c, SSL_read(c->ssl, data, (int)n));
}

static void secure(struct connection *c) {
    if (!context) context = SSL_CTX_new(TLS_client_method());
    if (!context || !(c->ssl = SSL_new(context)) || !SSL_set_fd(c->ssl, c->fd)) fail("SSL_new");
    if (SSL_connect(c->ssl) != 1) fail("SSL_connect");
}
#else
static ssize_t transmit(struct connection *c, const char *data, size_t n) { return send(c->fd, data, n, MSG_NOSIGNAL); }
static ssize_t receive(struct connection *c, char *data, size_t n) { return recv(c->fd, data, n, 0); }
static void secure(struct connection *c) { (void)c; }
#endif

static void push(struct connection *c) {
    while (c->sent < size) {
        ssize_t n = transmit(c, message + c->sent, size - c->sent);
        if (n < 0) {
            if (errno == EINTR) continue;
            if (errno != EAGAIN) fail("send");
            if (!c->want_write) watch(c, EPOLL_CTL_MOD, 1);
            return;
        }
        c->sent += (size_t)n;
    }
    if (c->want_write) watch(c, EPOLL_CTL_MOD, 0);
}

static void request(struct connection *c, uint64_t since) {
    c->sent = c->received = 0;
    c->since = since;
    c->waiting = 1;
    push(c);
}

/* 1 when a whole echo has arrived. */
static int pull(struct connection *c) {
    ssize_t n = receive(c, answer, size - c->received);
    if (n < 0) {
        if (errno == EAGAIN || errno == EINTR) return 0;
        fail("recv");
    }
    errno = 0;
    if (n == 0) fail("the server closed a connection");
    if (memcmp(answer, message + c->received, (size_t)n)) fail("the echo differs from what was sent");
    c->received += (size_t)n;
    return c->received == size;
}

static void open_connection(struct connection *c, const char *port) {
    struct sockaddr_in address = server_at(port);
    int on = 1;
    c->fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    if (c->fd < 0) fail("socket");
    if (connect(c->fd, (struct sockaddr *)&address, sizeof address)) fail("connect");
    secure(c);
    if (fcntl(c->fd, F_SETFL, O_NONBLOCK)) fail("fcntl");
    if (setsockopt(c->fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof on)) fail("setsockopt");
    watch(c, EPOLL_CTL_ADD, 0);
}

int main(int argc, char **argv) {
    if (argc != 6 && argc != 7) {
        fprintf(stderr, "usage: echo_load PORT CONNECTIONS SIZE WARMUP_SECONDS SECONDS [RATE]\n");
        return 2;
    }
    int connections = atoi(argv[2]);
    size = (size_t)atol(argv[3]);
    double warmup = atof(argv[4]), seconds = atof(argv[5]), rate = argc == 7 ? atof(argv[6]) : 0;
    if (connections < 1 || size < 1 || seconds <= 0 || rate < 0) return 2;
    struct connection *all = calloc((size_t)connections, sizeof *all);
    message = malloc(size);
    answer = malloc(size);
    poller = epoll_create1(EPOLL_CLOEXEC);
    if (!all || !message || !answer || poller < 0) fail("setting up");
    for (size_t i = 0; i < size; i++) message[i] = (char)('a' + i % 26);
    for (int i = 0; i < connections; i++) open_connection(&all[i], argv[1]);

    uint64_t begun = now(), start = begun + (uint64_t)(warmup * 1e9), end = start + (uint64_t)(seconds * 1e9), t = begun;
    uint64_t interval = rate > 0 ? (uint64_t)(1e9 * connections / rate) : 0; /* between two requests of a connection */
    for (int i = 0; i < connections; i++) {
        if (interval) all[i].since = begun + interval * (uint64_t)i / (uint64_t)connections - interval;
        else request(&all[i], now());
    }
    int turn = 0; /* whose time comes next: they take turns, so that looking at one is enough */
    struct epoll_event events[256];
    while ((t = now()) < end) {
        while (interval && !all[turn].waiting && t >= all[turn].since + interval) {
            request(&all[turn], all[turn].since + interval);
            turn = (turn + 1) % connections;
        }
        int ready = epoll_wait(poller, events, 256, interval ? 0 : 100);
        if (ready < 0 && errno != EINTR) fail("epoll_wait");
        for (int i = 0; i < ready; i++) {
            struct connection *c = events[i].data.ptr;
            if (c->sent < size) push(c);
            if (!(events[i].events & (EPOLLIN | EPOLLHUP | EPOLLERR)) || !pull(c)) continue;
            t = now();
            answered++;
            c->waiting = 0;
            if (t >= start && t < end) record(t - c->since);
            if (!interval) request(c, now());
        }
    }
    report(seconds);
    return 0;
}
