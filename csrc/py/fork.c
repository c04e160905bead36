/* Cutting off inherited objects in the child of a fork; see fork.h. */
#include "py/fork.h"

#include <stdbool.h>
#include <unistd.h>

void
ah_fork_register(ModuleState *st, struct fork_node *node, PyObject *object,
                 void (*in_child)(PyObject *object))
{
    node->object = object;
    node->in_child = in_child;
    node->made_in = 0;
    node->next = st->fork_nodes;
    node->link = &st->fork_nodes;
    if (node->next != NULL) {
        node->next->link = &node->next;
    }
    st->fork_nodes = node;
}

void
ah_fork_unregister(struct fork_node *node)
{
    if (node->link == NULL) {
        return;
    }
    *node->link = node->next;
    if (node->next != NULL) {
        node->next->link = node->link;
    }
    node->link = NULL;
}

int
ah_raise_inherited(const struct fork_node *node, const char *what, const char *remedy)
{
    PyErr_Format(PyExc_RuntimeError,
                 "this %s was made in process %ld and can't be used after fork; %s",
                 what, (long)node->made_in, remedy);
    return -1;
}

static PyObject *
after_fork(PyObject *module, PyObject *Py_UNUSED(ignored))
{
    ModuleState *st = ah_state(module);
    pid_t parent = st->pid;
    st->pid = getpid();
    for (struct fork_node *node = st->fork_nodes; node != NULL; node = node->next) {
        if (!ah_is_inherited(node)) {
            node->made_in = parent;
            node->in_child(node->object);
        }
    }
    PyObject *objects = PyList_New(0);
    for (struct fork_node *node = st->fork_nodes; objects != NULL && node != NULL;
         node = node->next) {
        bool is_older = ah_is_inherited(node) && node->made_in != parent;
        bool is_dying = Py_REFCNT(node->object) == 0; /* that is what forked */
        if (!is_older && !is_dying && PyList_Append(objects, node->object) < 0) {
            Py_CLEAR(objects);
        }
    }
    return objects;
}

static PyMethodDef fork_methods[] = {
    {"_after_fork", after_fork, METH_NOARGS,
     PyDoc_STR("_after_fork($module, /)\n--\n\n"
               "In the child: cut off what the parent made, or make it anew; a list of "
               "all.")},
    {NULL, NULL, 0, NULL},
};

int
ah_fork_setup(PyObject *module)
{
    ah_state(module)->pid = getpid();
    return PyModule_AddFunctions(module, fork_methods);
}
