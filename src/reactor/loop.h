/*
 * What a loop is made of. Each part has a file of its own in this folder, which alone changes the
 * part's fields but where it says so; run.c runs the phases.
 */
#ifndef AIOL__REACTOR_LOOP_H
#define AIOL__REACTOR_LOOP_H

#include "platform/poller.h"
#include "reactor/io_table.h"
#include "reactor/mailbox.h"
#include "reactor/wheel.h"

#include <aiol/hook.h>
#include <aiol/io.h>
#include <aiol/loop.h>

#include <assert.h>
#include <pthread.h>

/*
 * What stands above the reactor and runs in each turn: the scheduler of tasks, if there is one. The
 * loop knows no more of it than this.
 */
struct aiol__guest;
struct aiol__guest_ops {
    bool (*is_ready)(const struct aiol__guest *guest);
    void (*run)(struct aiol__guest *guest);
    bool (*is_inside)(const struct aiol__guest *guest); /* is the caller one of its tasks? */
    /* Around a callback that runs inside a call: if that was a task's, its callback is not. */
    void (*hide_task)(struct aiol__guest *guest);
    void (*show_task)(struct aiol__guest *guest);
    /* Tell all tasks to end; `with_shields` also where they are shielded from that. */
    void (*cancel_all)(struct aiol__guest *guest, bool with_shields);
    void (*free)(struct aiol__guest *guest);
};

struct aiol__guest {
    const struct aiol__guest_ops *ops;
    uint64_t alive_count;
    bool is_draining; /* what begins now is cancelled from the start */
    unsigned hidden_depth;
};

/* Who wants to know what becomes of a loop. */
struct aiol__loop_observer {
    struct aiol__list node;
    /* The loop is freed, whatever is started. Must take the observer out of its list. */
    void (*on_end)(struct aiol__loop_observer *observer);
    /* This is a child of fork(), without the parent's other threads. */
    void (*on_fork)(struct aiol__loop_observer *observer);
};

struct aiol_loop {
    struct aiol_allocator allocator;
    struct aiol__poller *poller;
    struct aiol__mailbox *mailbox;
    struct aiol__guest *guest;
    pthread_t owner;
    uint64_t now_ns;
    uint32_t max_task_steps;
    uint32_t clock;
    bool is_running;
    bool is_stopping;
    bool is_closing;

    struct aiol__io_table io;
    struct aiol__list deferred;       /* deferred.c: to be called in the next phase */
    struct aiol__list deferred_batch; /* and in the one that is under way */
    struct aiol__list delivering;     /* completion.c: completions of objects that are closed */
    unsigned callback_depth; /* run.c: callbacks that run inside a call on an object of this loop */
    struct aiol__list hooks[2]; /* hook.c: by place */
    struct aiol__walk hook_walk;
    struct aiol__list observers;
    uint64_t poster_count; /* poster.c */
    uint64_t poster_ref_count;
    uint64_t timer_ref_count; /* timer.c */
    uint64_t object_count;    /* allocated by aiol__loop_allocate() */
    struct aiol__wheel wheel;
};

/* Debug builds check that a loop is used by its own thread. */
static inline void aiol__loop_check_thread(const struct aiol_loop *loop)
{
    assert(pthread_equal(loop->owner, pthread_self()));
    (void)loop;
}

/* Cancel all tasks, and turn until the last one has ended, whatever else is alive or fails. Where
 * they are shielded they may take their time, unless nothing can happen any more. */
void aiol__loop_run_tasks_to_end(struct aiol_loop *loop);

/* Around each callback that runs inside a call (item destructors, withdrawing, what a close tells):
 * it is no part of the task that made the call, and so cannot switch it away; nor can it free the
 * loop.
 */
void aiol__callback_begin(struct aiol_loop *loop);
void aiol__callback_end(struct aiol_loop *loop);

/* Is this thread inside a callback or a task of any loop? */
bool aiol__loop_is_calling(void);

/* Memory for an object that the user frees. The loop cannot be freed before it. */
void *aiol__loop_allocate(struct aiol_loop *loop, size_t size_bytes);
void aiol__loop_release(struct aiol_loop *loop, void *object);

static inline uint64_t aiol__loop_task_count(const struct aiol_loop *loop)
{
    return loop->guest ? loop->guest->alive_count : 0;
}

/* Free without asking whether anything is started. What still is will never be touched again. */
void aiol__loop_destroy(struct aiol_loop *loop);

/* Watch until the first event, for one waiter instead of the callback; its status is then what is
 * ready, or AIOL_ECLOSED if the watcher is stopped meanwhile. 0, -EBUSY if it is started already,
 * or an error as aiol_io_start() returns. */
int aiol__io_wait(struct aiol_io *io, uint32_t events, struct aiol__waiter *waiter);
extern const struct aiol__waiter_source aiol__io_source;

/* Serve the events of the last wait, then the descriptors that are always ready. */
void aiol__io_serve(struct aiol_loop *loop, int event_count);
void aiol__timers_run(struct aiol_loop *loop);
void aiol__deferred_run(struct aiol_loop *loop);
void aiol__hooks_run(struct aiol_loop *loop, enum aiol_hook_place place);

#endif
