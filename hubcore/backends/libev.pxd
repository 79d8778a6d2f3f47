# The libev backend; see the .py. Compiled; nothing of it is for other modules to cimport.
