/*
 * What fails and when: an allocator and a table of system calls (src/platform/sys.h) that count
 * what they are asked for, and fail at one point that a plan names. Time is not the system's: it
 * passes only by waiting, which takes none.
 */
#ifndef INJECTION_H
#define INJECTION_H

#include <aiol.h>

#include <stdbool.h>

/* The entries of the table that can fail. clock_gettime() cannot, with the clock that is asked. */
enum call {
    CALL_READ,
    CALL_WRITE,
    CALL_CLOSE,
    CALL_POLL,
    CALL_FSTAT,
    CALL_PIPE,
    CALL_RECV,
    CALL_SEND,
    CALL_SHUTDOWN,
    CALL_ACCEPT,
    CALL_CONNECT,
    CALL_GETSOCKOPT,
    CALL_MMAP,
    CALL_MUNMAP,
    CALL_MPROTECT,
    CALL_MADVISE,
    CALL_GETRANDOM,
    CALL_EPOLL_CREATE1,
    CALL_EPOLL_FIRST_ADD, /* epoll_ctl(), by its operation; first: into a poller that is new */
    CALL_EPOLL_ADD,
    CALL_EPOLL_MODIFY,
    CALL_EPOLL_DELETE,
    CALL_EPOLL_WAIT,
    CALL_EPOLL_PWAIT2,
    CALL_EVENTFD,
    CALL_KQUEUE,
    CALL_KEVENT_FIRST_CHANGE, /* kevent(), by what it is to do; first: of a kqueue that is new */
    CALL_KEVENT_CHANGE,
    CALL_KEVENT_HELD_BACK, /* a wait that comes with something to be registered */
    CALL_KEVENT_WAIT,
    CALL_COUNT
};

/* The call has its effect all the same. */
#define FAULT_DONE 1
/* Nothing that the caller gets to see: the library deals with it. */
#define FAULT_NO_NEWS 2

/* One way in which one call can fail. */
struct fault {
    const char *name; /* "recv: ECONNRESET" */
    enum call call;
    int error;    /* 0: a transfer is cut to one byte */
    long longest; /* how many times in a row it may happen */
    unsigned flags;
};

extern const struct fault all_faults[];
extern const size_t all_faults_count;

/* Where to fail: at one allocation or at one call; at neither of them when all is zero. */
struct plan {
    long allocation;           /* the number of the allocation that fails, from 1 */
    const struct fault *fault; /* or how the call fails */
    long call;                 /* whose number of its kind is this one, from 1 */
    long repeat_count;         /* how many in a row */
    bool is_old_system;        /* without epoll_pwait2() and light guards: an older Linux */
    long max_calls;            /* more than that is a spin; 0: no limit */
};

/* Counted, thread-safe, and failing when the plan says so. */
extern const struct aiol_allocator failing_allocator;

/* Put the failing table in the place of the system's, and take it out again. */
void install_failing_calls(void);
void remove_failing_calls(void);

/* Start counting, and let the plan happen. */
void begin_injection(const struct plan *plan);
/* Neither count nor fail until it is resumed. */
void pause_injection(void);
void resume_injection(void);
/* The end of it. Has anything been made to fail? */
bool end_injection(void);

/* Since injection began: calls of one kind, and of all kinds. */
long calls_made(enum call call);
long all_calls_made(void);
/* Whether there were more than max_calls. The plan was given up then. */
bool has_spun(void);

/* What the library holds now: allocations, and bytes of mappings. */
long held_allocations(void);
long held_mapped_bytes(void);

/* For the failing calls: count this one, and say how it is to fail, or NULL. */
const struct fault *meet(enum call call);
/* Fail: -1 and errno. */
int fail_by(const struct fault *fault);
/* The fault cannot happen here after all. */
void take_back_fault(void);
/* Somebody has waited for so long. */
void pass_time(uint64_t ns);
void install_failing_kqueue(void);

#endif
