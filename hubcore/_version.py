"""The version, in a file of its own so that the build can read it without importing the package."""

__version__ = "0.2.0"
#: The version as numbers: major, minor, micro, release level, serial. It is hubcore's own, not a gevent version.
version_info: tuple[int, int, int, str, int] = (0, 2, 0, "final", 0)
