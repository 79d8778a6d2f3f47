/* Tracebacks through compiled modules name the file where the source lies, so that an editor opens it.

   Fact: Cython names the source by its path at build time, relative to the checkout. Consequence: every compiled module
   includes this file first (setup.py), and puts the folder in front, in which the extension lies at run time. */
#ifndef HUBCORE_TRACEBACK_PATHS_H
#define HUBCORE_TRACEBACK_PATHS_H

#ifndef PY_SSIZE_T_CLEAN
#define PY_SSIZE_T_CLEAN
#endif
#include <Python.h>
#include <dlfcn.h>
#include <stdio.h>
#include <string.h>

static inline PyCodeObject *hubcore_code_in_place(const char *file, const char *function, int line) {
    static const char package[] = "/hubcore/";
    char path[4096];
    Dl_info own;
    const char *end = NULL, *found;
    if (strncmp(file, package + 1, sizeof package - 2) == 0 && dladdr((void *)&hubcore_code_in_place, &own) && own.dli_fname) {
        for (found = own.dli_fname; (found = strstr(found, package)) != NULL; found++) {
            end = found;  /* the last one: the path above it may have the name, too */
        }
        if (end != NULL && snprintf(path, sizeof path, "%.*s/%s", (int)(end - own.dli_fname), own.dli_fname, file) < (int)sizeof path) {
            file = path;
        }
    }
    return PyCode_NewEmpty(file, function, line);
}

#define PyCode_NewEmpty hubcore_code_in_place
#endif
