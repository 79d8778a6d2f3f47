/* What pyev 0.9 (2012) and pyuv 1.4 (2017) need on CPython 3.11 to 3.15. Given to the compiler by -include, so that
 * their sources stay as they are. FOR_PYEV or FOR_PYUV says whose build it is. */
#ifndef HUBCORE_EXAMPLE_COMPAT_H
#define HUBCORE_EXAMPLE_COMPAT_H

/* First, so that CPython's own declarations are seen by their own names. */
#define PY_SSIZE_T_CLEAN
#include <Python.h>

#ifdef FOR_PYEV

/* pyev defines a function of this name; CPython has another one since 3.9. */
#define PyModule_AddType pyev_module_add_type

/* pyev makes PyMem_Realloc libev's allocator and then runs libev without the GIL, which crashes since CPython 3.6; the
 * allocator is also one for all that use the same libev in a process, hubcore's own backend among them. Both calls
 * become calls of functions that do nothing; ev.h's declarations are renamed with them and agree. */
#define ev_set_allocator pyev_keeps_the_allocator
#define ev_set_syserr_cb pyev_keeps_the_error_callback
__attribute__((visibility("hidden"))) void ev_set_allocator(void *(*allocate)(void *memory, long size)) { (void)allocate; }
__attribute__((visibility("hidden"))) void ev_set_syserr_cb(void (*report)(const char *text)) { (void)report; }

#endif
#ifdef FOR_PYUV

/* Assigned to by pyuv; not an lvalue since 3.10. */
#undef Py_REFCNT
#define Py_REFCNT(object) (((PyObject *)(object))->ob_refcnt)

/* Gone since 3.11. One place, which is never reached on Linux. */
#undef PyUnicode_AS_UNICODE
#undef PyUnicode_GET_SIZE
#define PyUnicode_AS_UNICODE(text) (text)
#define PyUnicode_GET_SIZE(text) 0
#define PyUnicode_EncodeUTF8(text, size, errors) PyUnicode_AsEncodedString((text), "utf-8", (errors))

/* Gone since 3.13, and without effect since 3.7. */
#undef PyEval_InitThreads
#define PyEval_InitThreads() ((void)0)

#endif
#endif
