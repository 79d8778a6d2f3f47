cimport cython

from hubcore._tls cimport Tls
