# The C function behind a built-in function or method, exchanged for one that calls a Python function.
#
# Facts: a built-in refers to a static PyMethodDef, whose `ml_meth` CPython reads at each call; the table is not constant.
# Consequence: when that pointer changes, every reference to the built-in follows, also one that was taken long ago
# (`from time import time`). The pointer has no room for data, so there is one set of C functions for each exchange, and
# its number is compiled in.

from cpython.object cimport PyObject

cdef extern from *:
    """
    #include <Python.h>
    #include <stddef.h>

    #define HUBCORE_EXCHANGES 96
    #define HUBCORE_KINDS (METH_VARARGS | METH_FASTCALL | METH_NOARGS | METH_O | METH_KEYWORDS)

    typedef struct {
        PyMethodDef *def;        /* what was exchanged; NULL: this place is free */
        PyMethodDef copy;        /* of it, as it was */
        PyObject *replacement;   /* called in its place; NULL: the original is, with another self */
        PyObject *self;          /* of these calls ... */
        PyObject *stand_in;      /* ... this one has the place */
        int with_self;           /* whether the replacement gets the self, as methods do */
    } hubcore_exchange_t;

    static hubcore_exchange_t hubcore_exchanges[HUBCORE_EXCHANGES];

    typedef PyObject *(*hubcore_fast)(PyObject *, PyObject *const *, Py_ssize_t);
    typedef PyObject *(*hubcore_fast_keywords)(PyObject *, PyObject *const *, Py_ssize_t, PyObject *);
    typedef PyObject *(*hubcore_keywords)(PyObject *, PyObject *, PyObject *);

    static inline PyObject *hubcore_self(hubcore_exchange_t *exchange, PyObject *self)
    {
        return exchange->stand_in != NULL && self == exchange->self ? exchange->stand_in : self;
    }

    /* Calls the replacement with these arguments, preceded by `self` if it takes that. */
    static PyObject *hubcore_replaced(hubcore_exchange_t *exchange, PyObject *self, PyObject *const *arguments,
                                      Py_ssize_t count, PyObject *names)
    {
        PyObject *few[8], **all = few, *result, *replacement = exchange->replacement;
        Py_ssize_t total = count + (names == NULL ? 0 : PyTuple_GET_SIZE(names));
        Py_INCREF(replacement);  /* it may be taken back meanwhile */
        if (!exchange->with_self) {
            result = PyObject_Vectorcall(replacement, arguments, count, names);
        } else {
            if (total + 1 > 8 && (all = PyMem_New(PyObject *, total + 1)) == NULL) {
                Py_DECREF(replacement);
                return PyErr_NoMemory();
            }
            all[0] = self;
            for (Py_ssize_t i = 0; i < total; i++)
                all[i + 1] = arguments[i];
            result = PyObject_Vectorcall(replacement, all, count + 1, names);
            if (all != few)
                PyMem_Free(all);
        }
        Py_DECREF(replacement);
        return result;
    }

    static PyObject *hubcore_replaced_by_tuple(hubcore_exchange_t *exchange, PyObject *self, PyObject *args,
                                               PyObject *kwargs)
    {
        PyObject *result, *all = args, *replacement = exchange->replacement;
        if (exchange->with_self) {
            Py_ssize_t count = PyTuple_GET_SIZE(args);
            if ((all = PyTuple_New(count + 1)) == NULL)
                return NULL;
            PyTuple_SET_ITEM(all, 0, Py_NewRef(self));
            for (Py_ssize_t i = 0; i < count; i++)
                PyTuple_SET_ITEM(all, i + 1, Py_NewRef(PyTuple_GET_ITEM(args, i)));
        } else {
            Py_INCREF(all);
        }
        Py_INCREF(replacement);
        result = PyObject_Call(replacement, all, kwargs);
        Py_DECREF(replacement);
        Py_DECREF(all);
        return result;
    }

    /* One for each place and calling convention. */
    #define HUBCORE_EXCHANGE(N)                                                                                       \\
        static PyObject *hubcore_none_##N(PyObject *self, PyObject *unused)                                           \\
        {                                                                                                             \\
            hubcore_exchange_t *e = &hubcore_exchanges[0x##N];                                                        \\
            if (e->replacement == NULL)                                                                               \\
                return e->copy.ml_meth(hubcore_self(e, self), unused);                                                \\
            return hubcore_replaced(e, self, NULL, 0, NULL);                                                          \\
        }                                                                                                             \\
        static PyObject *hubcore_one_##N(PyObject *self, PyObject *argument)                                          \\
        {                                                                                                             \\
            hubcore_exchange_t *e = &hubcore_exchanges[0x##N];                                                        \\
            if (e->replacement == NULL)                                                                               \\
                return e->copy.ml_meth(hubcore_self(e, self), argument);                                              \\
            return hubcore_replaced(e, self, &argument, 1, NULL);                                                     \\
        }                                                                                                             \\
        static PyObject *hubcore_tuple_##N(PyObject *self, PyObject *args)                                            \\
        {                                                                                                             \\
            hubcore_exchange_t *e = &hubcore_exchanges[0x##N];                                                        \\
            if (e->replacement == NULL)                                                                               \\
                return e->copy.ml_meth(hubcore_self(e, self), args);                                                  \\
            return hubcore_replaced_by_tuple(e, self, args, NULL);                                                    \\
        }                                                                                                             \\
        static PyObject *hubcore_keywords_##N(PyObject *self, PyObject *args, PyObject *kwargs)                       \\
        {                                                                                                             \\
            hubcore_exchange_t *e = &hubcore_exchanges[0x##N];                                                        \\
            if (e->replacement == NULL)                                                                               \\
                return ((hubcore_keywords) (void (*)(void)) e->copy.ml_meth)(hubcore_self(e, self), args, kwargs);    \\
            return hubcore_replaced_by_tuple(e, self, args, kwargs);                                                  \\
        }                                                                                                             \\
        static PyObject *hubcore_fast_##N(PyObject *self, PyObject *const *args, Py_ssize_t count)                    \\
        {                                                                                                             \\
            hubcore_exchange_t *e = &hubcore_exchanges[0x##N];                                                        \\
            if (e->replacement == NULL)                                                                               \\
                return ((hubcore_fast) (void (*)(void)) e->copy.ml_meth)(hubcore_self(e, self), args, count);         \\
            return hubcore_replaced(e, self, args, count, NULL);                                                      \\
        }                                                                                                             \\
        static PyObject *hubcore_fast_keywords_##N(PyObject *self, PyObject *const *args, Py_ssize_t count,           \\
                                                   PyObject *names)                                                   \\
        {                                                                                                             \\
            hubcore_exchange_t *e = &hubcore_exchanges[0x##N];                                                        \\
            if (e->replacement == NULL)                                                                               \\
                return ((hubcore_fast_keywords) (void (*)(void)) e->copy.ml_meth)(hubcore_self(e, self), args, count, \\
                                                                                  names);                             \\
            return hubcore_replaced(e, self, args, count, names);                                                     \\
        }
    #define HUBCORE_SIXTEEN(X, H)                                                                                     \\
        X(H##0) X(H##1) X(H##2) X(H##3) X(H##4) X(H##5) X(H##6) X(H##7)                                               \\
        X(H##8) X(H##9) X(H##a) X(H##b) X(H##c) X(H##d) X(H##e) X(H##f)
    #define HUBCORE_ALL(X)                                                                                            \\
        HUBCORE_SIXTEEN(X, 0) HUBCORE_SIXTEEN(X, 1) HUBCORE_SIXTEEN(X, 2)                                             \\
        HUBCORE_SIXTEEN(X, 3) HUBCORE_SIXTEEN(X, 4) HUBCORE_SIXTEEN(X, 5)

    HUBCORE_ALL(HUBCORE_EXCHANGE)

    #define HUBCORE_FUNCTIONS(N)                                                                                      \\
        {hubcore_none_##N, hubcore_one_##N, hubcore_tuple_##N, (PyCFunction) (void (*)(void)) hubcore_keywords_##N,   \\
         (PyCFunction) (void (*)(void)) hubcore_fast_##N, (PyCFunction) (void (*)(void)) hubcore_fast_keywords_##N},
    static PyCFunction hubcore_functions[HUBCORE_EXCHANGES][6] = {HUBCORE_ALL(HUBCORE_FUNCTIONS)};

    /* The table entry behind a built-in function, or a method as it stands in its type's dictionary; NULL: none. */
    static PyMethodDef *hubcore_definition(PyObject *builtin)
    {
        if (PyCFunction_CheckExact(builtin))
            return ((PyCFunctionObject *) builtin)->m_ml;
        if (Py_IS_TYPE(builtin, &PyMethodDescr_Type) || Py_IS_TYPE(builtin, &PyClassMethodDescr_Type))
            return ((PyMethodDescrObject *) builtin)->d_method;
        return NULL;
    }

    /* The place of the exchange, -1 with an error where it cannot be made. */
    static int hubcore_exchange(PyObject *builtin, PyObject *replacement)
    {
        PyMethodDef *def = hubcore_definition(builtin);
        int place, kind;
        if (def == NULL) {
            PyErr_Format(PyExc_TypeError, "%R is not a built-in function or method", builtin);
            return -1;
        }
        for (place = 0; place < HUBCORE_EXCHANGES && hubcore_exchanges[place].def != NULL; place++)
            if (hubcore_exchanges[place].def == def) {
                PyErr_Format(PyExc_RuntimeError, "%R is exchanged already", builtin);
                return -1;
            }
        switch (def->ml_flags & HUBCORE_KINDS) {
        case METH_NOARGS: kind = 0; break;
        case METH_O: kind = 1; break;
        case METH_VARARGS: kind = 2; break;
        case METH_VARARGS | METH_KEYWORDS: kind = 3; break;
        case METH_FASTCALL: kind = 4; break;
        case METH_FASTCALL | METH_KEYWORDS: kind = 5; break;
        default: kind = -1;
        }
        if (kind < 0 || place == HUBCORE_EXCHANGES || (def->ml_flags & METH_METHOD)) {
            PyErr_Format(PyExc_TypeError, "%R cannot be exchanged: flags %d", builtin, def->ml_flags);
            return -1;
        }
        hubcore_exchanges[place].copy = *def;
        hubcore_exchanges[place].replacement = replacement == Py_None ? NULL : Py_NewRef(replacement);
        hubcore_exchanges[place].with_self = !PyCFunction_CheckExact(builtin);
        hubcore_exchanges[place].self = hubcore_exchanges[place].stand_in = NULL;
        hubcore_exchanges[place].def = def;
        def->ml_meth = hubcore_functions[place][kind];
        return place;
    }

    static void hubcore_undo_exchange(int place)
    {
        hubcore_exchange_t *exchange = &hubcore_exchanges[place];
        exchange->def->ml_meth = exchange->copy.ml_meth;
        /* The place is not used again: a call may be under way that came by it. */
    }

    static int hubcore_redo_exchange(int place)
    {
        hubcore_exchange_t *exchange = &hubcore_exchanges[place];
        PyCFunction *own = hubcore_functions[place];
        switch (exchange->copy.ml_flags & HUBCORE_KINDS) {
        case METH_NOARGS: exchange->def->ml_meth = own[0]; break;
        case METH_O: exchange->def->ml_meth = own[1]; break;
        case METH_VARARGS: exchange->def->ml_meth = own[2]; break;
        case METH_VARARGS | METH_KEYWORDS: exchange->def->ml_meth = own[3]; break;
        case METH_FASTCALL: exchange->def->ml_meth = own[4]; break;
        default: exchange->def->ml_meth = own[5];
        }
        return place;
    }

    static void hubcore_stand_in(int place, PyObject *self, PyObject *stand_in)
    {
        hubcore_exchanges[place].self = self;  /* both are kept alive by the caller */
        hubcore_exchanges[place].stand_in = stand_in;
    }

    /* The built-in as it was, as an object of its own. */
    static PyObject *hubcore_original(int place, PyObject *builtin)
    {
        PyMethodDef *copy = &hubcore_exchanges[place].copy;
        if (PyCFunction_CheckExact(builtin))
            return PyCFunction_NewEx(copy, PyCFunction_GET_SELF(builtin), ((PyCFunctionObject *) builtin)->m_module);
        if (Py_IS_TYPE(builtin, &PyClassMethodDescr_Type))
            return PyDescr_NewClassMethod(PyDescr_TYPE(builtin), copy);
        return PyDescr_NewMethod(PyDescr_TYPE(builtin), copy);
    }
    """
    int hubcore_exchange(object builtin, object replacement) except -1
    void hubcore_undo_exchange(int place)
    int hubcore_redo_exchange(int place)
    void hubcore_stand_in(int place, PyObject* self, PyObject* stand_in)
    object hubcore_original(int place, object builtin)
