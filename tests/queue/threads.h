/*
 * What the tests of the queue from other threads share: a queue with a remote, calls that block in
 * threads of their own, ways to await how far such a call has come, and a clock of the tests' own.
 *
 * The order of threads is made certain by turning the loop until it has received what one of them
 * has posted, before the next one begins.
 */
#ifndef THREADS_H
#define THREADS_H

#include "queue/queue.h"
#include "support.h"

#include <pthread.h>
#include <stdatomic.h>

/* The items are addresses of letters of the alphabet. */
extern char letters[];

struct scene {
    struct aiol_loop *loop;
    struct aiol_queue *queue;
    struct aiol_queue_remote *remote;
};

/* With a new loop, and items that need not be destroyed. */
void begin_scene(struct scene *scene, size_t capacity);
void begin_scene_on(struct scene *scene, struct aiol_loop *loop, size_t capacity,
                    aiol_queue_destroy_fn destroy);
void end_scene(struct scene *scene);

enum kind { PUT, GET, DONE, JOIN };

/* A call in a thread of its own. */
struct call {
    pthread_t thread;
    struct aiol_queue_remote *remote;
    enum kind kind;
    uint64_t deadline_ns;
    void (*on_look)(void); /* called when the thread looks at the tests' clock; may be NULL */
    void *item;            /* to put, or that was got */
    int result;
    atomic_bool is_over;
};

/* The call that begin_call() or begin_call_until() made this thread for; NULL in other threads. */
extern _Thread_local struct call *call_of_this_thread;

/* Make the call here, in whatever thread this is. */
int call(struct call *own);

/* A get begins with an item that it must not change but on success. begin_call()'s deadline is
 * AIOL_NEVER. */
void begin_call(struct call *own, struct scene *scene, enum kind kind, char *item);
void begin_call_until(struct call *own, struct scene *scene, enum kind kind, char *item,
                      uint64_t deadline_ns, void (*on_look)(void));
/* These two return the call's result. serve_until_over() turns the loop meanwhile. */
int end_call(struct call *own);
int serve_until_over(struct call *own, struct scene *scene);
/* A call that need not wait for anything but the loop, from its beginning to its end. */
int serve_call(struct call *own, struct scene *scene, enum kind kind, char *item);

size_t count_waiting(const struct aiol__list *waiters);
/* Turn until so many wait in one of the queue's lists. */
void await_waiting(struct scene *scene, const struct aiol__list *waiters, size_t count);
/* Until a thread's post is there, not yet received. */
void await_post(struct scene *scene);

/* Until the end of the test time is what clock_ns says. It is far behind the system's, so that a
 * thread whose deadline lies ahead does not sleep, but looks at the clock again and again. */
extern _Atomic uint64_t clock_ns;
void begin_clock(uint64_t now_ns);

/* Where the clock begins, and a deadline ahead of that. */
#define BEGIN_NS (1 * AIOL_MILLISECOND)
#define DEADLINE_NS (2 * AIOL_MILLISECOND)

#endif
