# The system calls of the socket fast path.

from libc.errno cimport EAGAIN, ECONNRESET, EINTR, EINVAL, errno

cdef extern from "Python.h":
    const char* PyUnicode_AsUTF8(object text) except NULL
    int PySys_Audit(const char* event, const char* format, ...) except -1

cdef extern from *:
    """
    #include <errno.h>
    #include <fcntl.h>
    #include <stddef.h>
    #include <sys/socket.h>
    #include <sys/un.h>
    #include <netinet/in.h>
    #include <arpa/inet.h>
    #include <unistd.h>

    typedef union {
        struct sockaddr any;
        struct sockaddr_in v4;
        struct sockaddr_in6 v6;
        struct sockaddr_un un;
        struct sockaddr_storage storage;
    } hubcore_address;

    #define hubcore_path_offset ((Py_ssize_t) offsetof(struct sockaddr_un, sun_path))

    #ifndef SOCK_NONBLOCK
    #define SOCK_NONBLOCK 0
    #endif

    /* accept(2); the connection is non-blocking and close-on-exec. */
    static int hubcore_accept(int fd, struct sockaddr *address, socklen_t *length)
    {
    #if defined(SOCK_CLOEXEC) && (defined(__linux__) || defined(__FreeBSD__))
        return accept4(fd, address, length, SOCK_NONBLOCK | SOCK_CLOEXEC);
    #else
        int accepted = accept(fd, address, length);
        if (accepted >= 0 && (fcntl(accepted, F_SETFL, O_NONBLOCK) < 0 || fcntl(accepted, F_SETFD, FD_CLOEXEC) < 0)) {
            int error = errno;
            close(accepted);
            errno = error;
            return -1;
        }
        return accepted;
    #endif
    }

    /* Write an IPv4 address (network order) as text, without a NUL; returns the length, at most 15. */
    static Py_ssize_t hubcore_ipv4_text(uint32_t address, char *text)
    {
        const unsigned char *byte = (const unsigned char *) &address;
        char *at = text;
        for (int i = 0; i < 4; i++) {
            unsigned int n = byte[i];
            if (i)
                *at++ = '.';
            if (n >= 100)
                *at++ = (char) ('0' + n / 100);
            if (n >= 10)
                *at++ = (char) ('0' + n / 10 % 10);
            *at++ = (char) ('0' + n % 10);
        }
        return at - text;
    }
    """
    ctypedef unsigned int socklen_t
    Py_ssize_t hubcore_ipv4_text(unsigned int address, char* text)
    int AF_INET, AF_INET6, AF_UNIX, SOCK_NONBLOCK
    ctypedef struct in_addr "struct in_addr":
        unsigned int s_addr
    ctypedef struct in6_addr "struct in6_addr":
        pass
    ctypedef struct sockaddr "struct sockaddr":
        int sa_family
    ctypedef struct sockaddr_in "struct sockaddr_in":
        int sin_family
        unsigned short sin_port
        in_addr sin_addr
    ctypedef struct sockaddr_in6 "struct sockaddr_in6":
        int sin6_family
        unsigned short sin6_port
        unsigned int sin6_flowinfo
        unsigned int sin6_scope_id
        in6_addr sin6_addr
    ctypedef struct sockaddr_un "struct sockaddr_un":
        char sun_path[108]
    ctypedef union hubcore_address:
        sockaddr any
        sockaddr_in v4
        sockaddr_in6 v6
        sockaddr_un un
    Py_ssize_t hubcore_path_offset
    int MSG_DONTWAIT, MSG_TRUNC
    int connect(int fd, const sockaddr* address, socklen_t length)
    int hubcore_accept(int fd, sockaddr* address, socklen_t* length)
    ssize_t recvfrom(int fd, void* buffer, size_t size, int flags, sockaddr* address, socklen_t* length)
    ssize_t sendto(int fd, const void* buffer, size_t size, int flags, const sockaddr* address, socklen_t length)
    unsigned short ntohs(unsigned short n)
    unsigned short htons(unsigned short n)
    unsigned int ntohl(unsigned int n)
    unsigned int htonl(unsigned int n)
    const char* inet_ntop(int family, const void* address, char* text, socklen_t size)
    int inet_pton(int family, const char* text, void* address)

cdef extern from "sys/socket.h" nogil:
    ssize_t recv(int fd, void* buffer, size_t size, int flags)
    ssize_t send(int fd, const void* buffer, size_t size, int flags)

cdef extern from "unistd.h" nogil:
    int close(int fd)
