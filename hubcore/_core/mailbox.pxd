# The struct of the mailbox. Its layout is read by other versions of the tools, so it only ever grows at its end, and
# `version` says by how much. Numbers are in the machine's own order.

cdef extern from *:
    """
    #include <stdint.h>
    #include <string.h>

    typedef struct {
        char magic[8];          /*   0  "hubcore\\0" */
        uint32_t version;       /*   8  of this layout */
        int32_t pid;            /*  12  0: no hub has been made yet; in a forked child, the parent's until it has one */
        int32_t wake_fd;        /*  16  -1: closed */
        uint32_t posted;        /*  20  the tool counts up, last of all */
        uint32_t taken;         /*  24  the process sets it to the request that it has taken */
        char path[108];         /*  28  a Unix socket, ended by a zero byte */
        char request[256];      /* 136  JSON in ASCII, ended by a zero byte */
    } hubcore_mailbox_t;

    #if defined(__GNUC__)
    __attribute__((used, visibility("default")))
    #endif
    volatile hubcore_mailbox_t hubcore_mailbox = {"hubcore", 1, 0, -1, 0, 0, "", ""};

    static void hubcore_set_mailbox(int pid, int fd) {
        hubcore_mailbox.taken = hubcore_mailbox.posted;
        hubcore_mailbox.pid = pid;
        hubcore_mailbox.wake_fd = fd;
    }
    static PyObject *hubcore_read_mailbox(void) {
        char path[108], request[256];
        uint32_t posted = hubcore_mailbox.posted;
        if (posted == hubcore_mailbox.taken) {
            Py_RETURN_NONE;
        }
        memcpy(path, (char *)hubcore_mailbox.path, sizeof path);
        memcpy(request, (char *)hubcore_mailbox.request, sizeof request);
        path[sizeof path - 1] = request[sizeof request - 1] = 0;
        hubcore_mailbox.taken = posted;
        return Py_BuildValue("(kyy)", (unsigned long)posted, path, request);
    }
    """
    void set_mailbox "hubcore_set_mailbox"(int pid, int fd) noexcept
    object read_mailbox "hubcore_read_mailbox"()
