/* Preloaded: lets the nth call fail that the extension module makes of one function.
 *
 * Calls by anybody else, CPython too, go through.  The calls are those of the C library
 * below, and "PyMem": what Python's allocators are asked for by C code of ours, with no
 * Python function and no task's step in between. */
#define _GNU_SOURCE
#define PY_SSIZE_T_CLEAN
#include <Python.h>

#include <dlfcn.h>
#include <errno.h>
#include <execinfo.h>
#include <fcntl.h>
#include <poll.h>
#include <pthread.h>
#include <stdarg.h>
#include <stdatomic.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/eventfd.h>
#include <sys/ioctl.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#define FRAMES 24

static char *ours_begin, *ours_end;
static const char *armed; /* NULL: nothing fails */
static int armed_error;
static atomic_int seen, first, last;

void
shim_ours(void *begin, void *end)
{
    ours_begin = begin;
    ours_end = end;
}

/* Calls number `from` to `until`, the last not included, of `call` fail. */
void
shim_arm(const char *call, int from, int until, int error)
{
    first = from;
    last = until;
    armed_error = error;
    seen = 0;
    armed = call;
}

/* How many calls there have been. */
int
shim_disarm(void)
{
    armed = NULL;
    return seen;
}

static int
is_ours(void *address)
{
    return (char *)address >= ours_begin && (char *)address < ours_end;
}

static int
is_hit(const char *call)
{
    if (armed == NULL || strcmp(armed, call) != 0) {
        return 0;
    }
    int number = seen++;
    return number >= first && number < last;
}

#define FAILS(call) (is_ours(__builtin_return_address(0)) && is_hit(call))
#define REAL(type, call, ...)                                \
    static type (*real)(__VA_ARGS__);                        \
    if (real == NULL) {                                      \
        real = (type(*)(__VA_ARGS__))dlsym(RTLD_NEXT, call); \
    }

#define WRAP(type, call, parameters, arguments, ...) \
    type call parameters                             \
    {                                                \
        REAL(type, #call, __VA_ARGS__)               \
        if (FAILS(#call)) {                          \
            errno = armed_error;                     \
            return -1;                               \
        }                                            \
        return real arguments;                       \
    }

WRAP(int, epoll_create1, (int flags), (flags), int)
WRAP(int, epoll_ctl, (int epfd, int op, int fd, struct epoll_event *event),
     (epfd, op, fd, event), int, int, int, struct epoll_event *)
WRAP(int, epoll_wait, (int epfd, struct epoll_event *events, int max, int timeout),
     (epfd, events, max, timeout), int, struct epoll_event *, int, int)
WRAP(int, eventfd, (unsigned count, int flags), (count, flags), unsigned, int)
WRAP(ssize_t, read, (int fd, void *data, size_t size), (fd, data, size), int, void *,
     size_t)
WRAP(ssize_t, write, (int fd, const void *data, size_t size), (fd, data, size), int,
     const void *, size_t)
WRAP(int, poll, (struct pollfd * fds, nfds_t n, int timeout), (fds, n, timeout),
     struct pollfd *, nfds_t, int)
WRAP(int, ppoll,
     (struct pollfd * fds, nfds_t n, const struct timespec *timeout,
      const sigset_t *mask),
     (fds, n, timeout, mask), struct pollfd *, nfds_t, const struct timespec *,
     const sigset_t *)
WRAP(int, waitid, (idtype_t type, id_t id, siginfo_t *info, int options),
     (type, id, info, options), idtype_t, id_t, siginfo_t *, int)
WRAP(pid_t, waitpid, (pid_t pid, int *status, int options), (pid, status, options),
     pid_t, int *, int)

int
pthread_create(pthread_t *thread, const pthread_attr_t *attributes,
               void *(*start)(void *), void *arg)
{
    REAL(int, "pthread_create", pthread_t *, const pthread_attr_t *, void *(*)(void *),
         void *)
    return FAILS("pthread_create") ? armed_error : real(thread, attributes, start, arg);
}

#define VARIADIC(type, call, parameter, name)                              \
    type call(parameter name, ...)                                         \
    {                                                                      \
        REAL(type, #call, parameter, long, long, long, long, long, long)   \
        va_list list;                                                      \
        va_start(list, name);                                              \
        long arg[6];                                                       \
        for (int i = 0; i < 6; i++) {                                      \
            arg[i] = va_arg(list, long);                                   \
        }                                                                  \
        va_end(list);                                                      \
        if (may_fail_##call(name, arg) && FAILS(#call)) {                  \
            errno = armed_error;                                           \
            return -1;                                                     \
        }                                                                  \
        return real(name, arg[0], arg[1], arg[2], arg[3], arg[4], arg[5]); \
    }

/* The end of a process, and what restores its signals, never fail. */
static int
may_fail_syscall(long number, const long *Py_UNUSED(arg))
{
    return number != SYS_exit_group && number != SYS_rt_sigprocmask &&
           number != SYS_rt_sigaction;
}

#define may_fail_prctl(name, arg) 1

VARIADIC(long, syscall, long, number)
VARIADIC(int, prctl, int, option)

void *
malloc(size_t size)
{
    REAL(void *, "malloc", size_t)
    return FAILS("malloc") ? NULL : real(size);
}

void *
realloc(void *block, size_t size)
{
    REAL(void *, "realloc", void *, size_t)
    return FAILS("realloc") ? NULL : real(block, size);
}

/* dlsym() itself calls calloc(). */
void *__libc_calloc(size_t count, size_t size);

void *
calloc(size_t count, size_t size)
{
    return FAILS("calloc") ? NULL : __libc_calloc(count, size);
}

/* -- Python's allocators ------------------------------------------------------ */

static PyMemAllocatorEx allocators[3];

/* Each Python function runs through here: what the C stack shows of the interpreter
 * itself depends on how it was compiled. */
PyObject *
shim_evaluate(PyThreadState *thread, struct _PyInterpreterFrame *frame, int throws)
{
    PyObject *volatile result = _PyEval_EvalFrameDefault(thread, frame, throws);
    return result; /* volatile: no tail call, which would leave no trace */
}

/* Where CPython answers for itself: in a Python function, and in its C half of tasks.
 */
static int
is_cpythons(void *address)
{
    Dl_info info;
    if (dladdr(address, &info) == 0) {
        return 0;
    }
    return info.dli_saddr == (void *)shim_evaluate ||
           strstr(info.dli_fname, "/_asyncio.") != NULL ||
           (info.dli_sname != NULL &&
            strcmp(info.dli_sname, "_PyFunction_Vectorcall") == 0);
}

static int
python_memory_fails(void)
{
    static __thread int inside;
    void *frames[FRAMES];
    if (armed == NULL || strcmp(armed, "PyMem") != 0 || inside) {
        return 0;
    }
    inside = 1;
    int count = backtrace(frames, FRAMES), found = 0;
    for (int i = 2; i < count && !found && !is_cpythons(frames[i]); i++) {
        found = is_ours(frames[i]);
    }
    inside = 0;
    return found && is_hit("PyMem");
}

static void *
hook_malloc(void *context, size_t size)
{
    PyMemAllocatorEx *real = context;
    return python_memory_fails() ? NULL : real->malloc(real->ctx, size);
}

static void *
hook_calloc(void *context, size_t count, size_t size)
{
    PyMemAllocatorEx *real = context;
    return python_memory_fails() ? NULL : real->calloc(real->ctx, count, size);
}

static void *
hook_realloc(void *context, void *block, size_t size)
{
    PyMemAllocatorEx *real = context;
    return python_memory_fails() ? NULL : real->realloc(real->ctx, block, size);
}

static void
hook_free(void *context, void *block)
{
    PyMemAllocatorEx *real = context;
    real->free(real->ctx, block);
}

void
shim_hook_python(void)
{
    void *frames[2];
    (void)backtrace(frames, 2); /* loads what it needs */
    _PyInterpreterState_SetEvalFrameFunc(PyInterpreterState_Get(), shim_evaluate);
    for (int domain = 0; domain < 3; domain++) {
        PyMem_GetAllocator((PyMemAllocatorDomain)domain, &allocators[domain]);
        PyMemAllocatorEx hook = {&allocators[domain], hook_malloc, hook_calloc,
                                 hook_realloc, hook_free};
        PyMem_SetAllocator((PyMemAllocatorDomain)domain, &hook);
    }
}
