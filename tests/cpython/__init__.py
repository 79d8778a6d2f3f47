"""CPython's own tests, run with hubcore's modules in place of the standard library's."""
