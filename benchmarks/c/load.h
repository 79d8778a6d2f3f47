/* What the load generators share: the clock, giving up, and the latencies that they report as one line of JSON. */
#define _GNU_SOURCE
#include <arpa/inet.h>
#include <errno.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <time.h>
#include <unistd.h>

static uint32_t *latencies; /* in nanoseconds, capped at 4.2 s */
static size_t counted, capacity, answered; /* answered: those of the warm-up as well */

static void fail(const char *what) {
    fprintf(stderr, "load: %s: %s\n", what, errno ? strerror(errno) : "unexpected");
    exit(1);
}

static uint64_t now(void) {
    struct timespec t;
    clock_gettime(CLOCK_MONOTONIC, &t);
    return (uint64_t)t.tv_sec * 1000000000u + (uint64_t)t.tv_nsec;
}

static void record(uint64_t nanoseconds) {
    if (counted == capacity) {
        capacity = capacity ? capacity * 2 : 1 << 20;
        latencies = realloc(latencies, capacity * sizeof *latencies);
        if (!latencies) fail("realloc");
    }
    latencies[counted++] = nanoseconds > UINT32_MAX ? UINT32_MAX : (uint32_t)nanoseconds;
}

static int ascending(const void *a, const void *b) {
    uint32_t x = *(const uint32_t *)a, y = *(const uint32_t *)b;
    return (x > y) - (x < y);
}

static struct sockaddr_in server_at(const char *port) {
    struct sockaddr_in address = {.sin_family = AF_INET, .sin_port = htons((uint16_t)atoi(port))};
    address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    return address;
}

static void report(double seconds) {
    if (!counted) {
        errno = 0;
        fail("no request was answered");
    }
    qsort(latencies, counted, sizeof *latencies, ascending);
    printf("{\"requests_per_second\": %.1f, \"p50_us\": %.1f, \"p99_us\": %.1f, \"max_us\": %.1f, \"requests\": %zu, "
           "\"answered\": %zu}\n",
           (double)counted / seconds, latencies[counted / 2] / 1e3, latencies[counted * 99 / 100] / 1e3,
           latencies[counted - 1] / 1e3, counted, answered);
}
