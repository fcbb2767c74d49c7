/*
 * Scopes: what a task does between entering and leaving one can be cancelled as a whole, or bounded
 * by a deadline. It is the one way to put a time limit on waiting; no call has a timeout of its
 * own.
 *
 * Scopes nest strictly. In a cancelled scope every awaiting call returns -ECANCELED, again and
 * again, until the scope is left, except those that must finish to keep their word
 * (aiol_await_group()). What must wait all the same, to tidy up, does so in a shielded scope.
 */
#ifndef AIOL_SCOPE_H
#define AIOL_SCOPE_H

#include <aiol/task.h>
#include <aiol/timer.h>

AIOL_BEGIN_DECLARATIONS

/* A node in the tree of scopes: a scope, or a task seen as the scope of all that it does. */
struct aiol__scope_node {
    struct aiol__list sibling;
    struct aiol__list children;
    struct aiol__scope_node *parent;
    struct aiol_task *task;
    uint8_t kind;      /* a task's own, a scope, a group */
    uint8_t requested; /* cancelled itself */
    uint8_t cancelled; /* this one or one above it is cancelled */
    uint8_t expired;   /* its own deadline has passed */
    uint8_t cut;       /* its own cancellation has cut an awaiting call short */
    uint8_t shielded;  /* what cancels the ones above does not cancel this one */
    uint8_t reserved_bytes[2];
};

/* Called when a scope is left. */
typedef void (*aiol_cleanup_fn)(void *data);

struct aiol_cleanup {
    /* private */
    struct aiol_cleanup *next;
    aiol_cleanup_fn fn;
    void *data;
    void *reserved;
};

struct aiol_scope {
    /* private */
    struct aiol__scope_node tree;
    struct aiol_timer deadline;
    struct aiol_cleanup *cleanups; /* the last one added first */
    void *reserved;
};

/*
 * Enter a scope of the current task, cancelled when `deadline_ns` comes (AIOL_NEVER: no deadline).
 * That is a point in time, not a span: aiol_deadline_after(5 * AIOL_SECOND). One that has passed
 * cancels it at once. `scope` belongs on the task's stack; the library borrows it until it is left,
 * which must happen before its function returns, on every way out. (Debug builds assert that in the
 * next awaiting call; a scope that is still open when the task itself ends is closed, see
 * AIOL_ESCOPE.) Does not switch tasks.
 *
 * Thread: the loop's, in a task. Returns 0, or AIOL_ENOTASK; then leaving it gives its result back
 * unchanged.
 */
AIOL_API int aiol_scope_enter(struct aiol_scope *scope, uint64_t deadline_ns);

/*
 * The same, for a scope that is not cancelled from outside: neither by the scopes around it nor by
 * aiol_task_cancel(). What cancels it is its own deadline (better have one: nothing else ends a
 * wait that nothing ends) and aiol_scope_cancel(). Scopes, groups and tasks inside it are shielded
 * with it. Only when the loop ends with -EDEADLK, so that nothing could ever happen any more,
 * shields do not hold.
 *
 * Thread: the loop's, in a task. Returns as aiol_scope_enter() does.
 */
AIOL_API int aiol_scope_enter_shielded(struct aiol_scope *scope, uint64_t deadline_ns);

/*
 * Move the deadline of a scope that has been entered, or set its first one; AIOL_NEVER removes it.
 * One that has passed cancels the scope at once. A scope that is cancelled stays so.
 *
 * Thread: the loop's. Returns 0, or -EINVAL (it is not entered, or has been left).
 */
AIOL_API int aiol_scope_set_deadline(struct aiol_scope *scope, uint64_t deadline_ns);

/*
 * The deadline of a scope; AIOL_NEVER when it has none, or it has passed.
 *
 * Thread: the loop's. Cannot fail.
 */
AIOL_API uint64_t aiol_scope_deadline_ns(const struct aiol_scope *scope);

/*
 * Have `fn(data)` called when the scope is left, on whichever way out, also when it is cancelled,
 * or left open by the end of its task. The last one added is called first. `cleanup` belongs on the
 * task's stack beside the scope; the library borrows it until the call. Inside aiol_scope_leave()
 * it cannot wait (awaiting calls return AIOL_ENOTASK); inside aiol_await_scope_leave() it can.
 *
 * Thread: the loop's, in the scope's task. Returns 0, or -EINVAL (it is not entered, or has been
 * left; `fn` will not be called).
 */
AIOL_API int aiol_scope_add_cleanup(struct aiol_scope *scope, struct aiol_cleanup *cleanup,
                                    aiol_cleanup_fn fn, void *data);

/*
 * Take a clean-up back: it will not be called.
 *
 * Thread: the loop's. Returns 1, or 0 (it was not there: never added, called, or taken back).
 */
AIOL_API int aiol_scope_remove_cleanup(struct aiol_scope *scope, struct aiol_cleanup *cleanup);

/*
 * Leave the innermost scope. `result` is what the work in it came to: it is returned, but for one
 * case. When the scope's own deadline has cut an awaiting call inside it short, and `result` is
 * -ECANCELED, and no outer scope is cancelled (or this one is shielded from those), then
 * -ETIMEDOUT is returned. A success is never turned into a failure.
 *
 * Thread: the loop's, in the task that entered it. Returns `result` (also when the scope was never
 * entered, or was left before), -ETIMEDOUT (see above), or -EINVAL (not the innermost scope of this
 * task, or a group's; nothing was left).
 */
AIOL_API int aiol_scope_leave(struct aiol_scope *scope, int result);

/*
 * Cancel what runs inside the scope, from whichever callback or task of the loop.
 *
 * Thread: the loop's. Cannot fail; cancelling twice is cancelling once, and a scope that has been
 * left, or is all zeroes and was never entered, is not cancelled.
 */
AIOL_API void aiol_scope_cancel(struct aiol_scope *scope);

/*
 * 1 when this scope, or one around it, is cancelled, else 0.
 *
 * Thread: the loop's. Cannot fail.
 */
AIOL_API int aiol_scope_is_cancelled(const struct aiol_scope *scope);

/*
 * sizeof(struct aiol_scope), for callers that embed it without a C compiler.
 *
 * Thread: any. Cannot fail.
 */
AIOL_API size_t aiol_scope_size(void);

/*
 * The alignment of struct aiol_scope.
 *
 * Thread: any. Cannot fail.
 */
AIOL_API size_t aiol_scope_align(void);

/*
 * sizeof(struct aiol_cleanup).
 *
 * Thread: any. Cannot fail.
 */
AIOL_API size_t aiol_cleanup_size(void);

/*
 * The alignment of struct aiol_cleanup.
 *
 * Thread: any. Cannot fail.
 */
AIOL_API size_t aiol_cleanup_align(void);

AIOL_END_DECLARATIONS

#endif
