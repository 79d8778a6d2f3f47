cimport cython

from hubcore._tls.connection cimport Tls
