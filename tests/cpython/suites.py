"""Which of CPython's test modules are run."""

#: With hubcore's socket, ssl, select and selectors in place of the standard library's.
REPLACED = (
    "test_socket",
    "test_timeout",
    "test_socketserver",
    "test_ssl",
    "test_httplib",
    "test_ftplib",
    "test_poplib",
    "test_imaplib",
    "test_urllib2_localnet",
    "test_select",
    "test_poll",
    "test_epoll",
    "test_selectors",
)

#: After hubcore.monkey.patch_all(). Of a package each module; what a Python came without is not run there.
PATCHED = (
    "test_socket",
    "test_ssl",
    "test_select",
    "test_selectors",
    "test_threading",
    "test_thread",
    "test_threading_local",
    "test_queue",
    "test_subprocess",
    "test_signal",
    "test_asyncio",
    "test_httplib",
    "test_httpservers",
    "test_urllib2_localnet",
    "test_ftplib",
    "test_smtplib",
    "test_poplib",
    "test_imaplib",
    "test_xmlrpc",
    "test_socketserver",
    "test_concurrent_futures",
    "test_multiprocessing_fork",
    "test_logging",
    "test_contextlib",
    "test_context",
    "test_weakref",
    "test_os",
    "test_time",
    "test_timeout",
)
#: Not the selector loop's, or a share too many: multiprocessing's managers take longer than all the rest of it.
LEFT_OUT = (
    "test_asyncio.test_proactor_events",
    "test_asyncio.test_windows_events",
    "test_asyncio.test_windows_utils",
    "test_multiprocessing_fork.test_manager",
)
#: Patterns of Class.test, where only these are run of a module.
SHARES = {"test_multiprocessing_fork": ("WithProcesses*", "WithThreads*", "Test*", "Other*", "Misc*")}
