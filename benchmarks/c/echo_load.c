/* A closed-loop TCP echo load, or, built with -DTLS, one of TLS: N connections, each with one message of fixed size
 * under way.
 *
 *   echo_load PORT CONNECTIONS SIZE WARMUP_SECONDS SECONDS
 *
 * prints one line of JSON: requests per second and the median and 99th percentile of their latency, over SECONDS after
 * WARMUP_SECONDS; and how many there were with the warm-up's. Every echo is compared with what was sent. Only ever talks to 127.0.0.1.
 */
#define _GNU_SOURCE
#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <netinet/tcp.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <time.h>
#include <unistd.h>
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
    uint64_t since;
};

static char *message, *answer;
static size_t size;
static int poller;
static uint32_t *latencies; /* in nanoseconds, capped at 4.2 s */
static size_t counted, capacity, answered; /* answered: those of the warm-up as well */

static void fail(const char *what) {
    fprintf(stderr, "echo_load: %s: %s\n", what, errno ? strerror(errno) : "unexpected");
    exit(1);
}

static uint64_t now(void) {
    struct timespec t;
    clock_gettime(CLOCK_MONOTONIC, &t);
    return (uint64_t)t.tv_sec * 1000000000u + (uint64_t)t.tv_nsec;
}

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

static void request(struct connection *c) {
    c->sent = c->received = 0;
    c->since = now();
    push(c);
}

static void record(uint64_t nanoseconds) {
    if (counted == capacity) {
        capacity = capacity ? capacity * 2 : 1 << 20;
        latencies = realloc(latencies, capacity * sizeof *latencies);
        if (!latencies) fail("realloc");
    }
    latencies[counted++] = nanoseconds > UINT32_MAX ? UINT32_MAX : (uint32_t)nanoseconds;
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

static void open_connection(struct connection *c, int port) {
    struct sockaddr_in address = {.sin_family = AF_INET, .sin_port = htons((uint16_t)port)};
    int on = 1;
    address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    c->fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    if (c->fd < 0) fail("socket");
    if (connect(c->fd, (struct sockaddr *)&address, sizeof address)) fail("connect");
    secure(c);
    if (fcntl(c->fd, F_SETFL, O_NONBLOCK)) fail("fcntl");
    if (setsockopt(c->fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof on)) fail("setsockopt");
    watch(c, EPOLL_CTL_ADD, 0);
}

static int ascending(const void *a, const void *b) {
    uint32_t x = *(const uint32_t *)a, y = *(const uint32_t *)b;
    return (x > y) - (x < y);
}

int main(int argc, char **argv) {
    if (argc != 6) {
        fprintf(stderr, "usage: echo_load PORT CONNECTIONS SIZE WARMUP_SECONDS SECONDS\n");
        return 2;
    }
    int connections = atoi(argv[2]);
    size = (size_t)atol(argv[3]);
    double warmup = atof(argv[4]), seconds = atof(argv[5]);
    if (connections < 1 || size < 1 || seconds <= 0) return 2;
    struct connection *all = calloc((size_t)connections, sizeof *all);
    message = malloc(size);
    answer = malloc(size);
    poller = epoll_create1(EPOLL_CLOEXEC);
    if (!all || !message || !answer || poller < 0) fail("setting up");
    for (size_t i = 0; i < size; i++) message[i] = (char)('a' + i % 26);
    for (int i = 0; i < connections; i++) open_connection(&all[i], atoi(argv[1]));
    for (int i = 0; i < connections; i++) request(&all[i]);

    uint64_t start = now() + (uint64_t)(warmup * 1e9), end = start + (uint64_t)(seconds * 1e9), t;
    struct epoll_event events[256];
    while ((t = now()) < end) {
        int ready = epoll_wait(poller, events, 256, 100);
        if (ready < 0 && errno != EINTR) fail("epoll_wait");
        for (int i = 0; i < ready; i++) {
            struct connection *c = events[i].data.ptr;
            if (c->sent < size) push(c);
            if (!(events[i].events & (EPOLLIN | EPOLLHUP | EPOLLERR)) || !pull(c)) continue;
            t = now();
            answered++;
            if (t >= start && t < end) record(t - c->since);
            request(c);
        }
    }
    if (!counted) {
        errno = 0;
        fail("no request was answered");
    }
    qsort(latencies, counted, sizeof *latencies, ascending);
    printf("{\"requests_per_second\": %.1f, \"p50_us\": %.1f, \"p99_us\": %.1f, \"requests\": %zu, \"answered\": %zu}\n",
           (double)counted / seconds, latencies[counted / 2] / 1e3, latencies[counted * 99 / 100] / 1e3, counted, answered);
    return 0;
}
