/*
 * Depth first, by doing the run again: all that a run decides is a path of numbers. The next run
 * follows the path of the last one up to the last decision that has another way out, takes that,
 * and from there on always the first one, which is to go on.
 */
#include "explorer.h"
#include "coroutine.h"
#include "support.h"
#include "task/context.h"

#include <stdlib.h>

#if defined(__has_include)
#if __has_include(<valgrind/valgrind.h>)
#include <valgrind/valgrind.h>
#endif
#endif

#define MAX_PREEMPTIONS 2
#define MAX_DECISIONS 4000
#define MAX_STEPS 2000 /* a run that has more does not end */

struct thread {
    struct coroutine *coroutine;
    void (*body)(void);
    bool has_ended;
    bool (*sleeps_until)(void); /* NULL: it does not sleep */
    bool may_wake_early;
};

struct decision {
    unsigned char chosen;
    unsigned char option_count;
};

static struct thread threads[EXPLORER_MAX_THREADS];
static unsigned thread_count;
static struct thread *current; /* NULL outside of the threads */

static struct decision path[MAX_DECISIONS];
static unsigned path_length, decided_count;
static unsigned preemption_count, rare_count; /* in this run */
static unsigned max_rare;

static const char *failure;
static struct {
    unsigned thread;
    const char *what;
} trace[MAX_STEPS];
static unsigned step_count;

static void note_step(const char *what)
{
    if (step_count == MAX_STEPS)
        fail_run("it does not end");
    trace[step_count].thread = (unsigned)(current - threads);
    trace[step_count++].what = what;
}

void fail_run(const char *what)
{
    if (!failure)
        failure = what;
    if (current)
        coroutine_pause(current->coroutine);
}

static unsigned decide(unsigned option_count)
{
    if (option_count < 2)
        return 0;
    if (decided_count == MAX_DECISIONS)
        fail_run("it does not end");
    if (decided_count == path_length)
        path[path_length++] = (struct decision){0, (unsigned char)option_count};
    else if (path[decided_count].option_count != option_count)
        fail_run("the same decisions have led elsewhere: something is left of an earlier run");
    return path[decided_count++].chosen;
}

/* The path of the next run; false after the last one. */
static bool turn_off(void)
{
    while (path_length > 0 &&
           path[path_length - 1].chosen + 1 == path[path_length - 1].option_count)
        path_length--;
    if (path_length == 0)
        return false;
    path[path_length - 1].chosen++;
    return true;
}

static bool can_run(const struct thread *thread)
{
    return !thread->has_ended && (!thread->sleeps_until || thread->sleeps_until());
}

/* Who runs next, or NULL when nobody can. A sleep that may end early is no way out of a deadlock:
 * that it never does is among the runs. */
static struct thread *pick_thread(bool current_goes_on)
{
    struct thread *candidates[EXPLORER_MAX_THREADS];
    unsigned count = 0;
    bool is_stuck = !current_goes_on;

    if (current_goes_on)
        candidates[count++] = current;
    if (current_goes_on && preemption_count == MAX_PREEMPTIONS)
        return current;
    for (struct thread *thread = threads; thread < threads + thread_count; thread++) {
        if (current_goes_on && thread == current)
            continue;
        if (can_run(thread))
            is_stuck = false;
        else if (thread->has_ended || !thread->may_wake_early || rare_count == max_rare)
            continue;
        candidates[count++] = thread;
    }
    return is_stuck ? NULL : candidates[decide(count)];
}

static struct thread *picked; /* by the thread that pauses */

static void leave_for(struct thread *thread)
{
    struct thread *self = current;

    picked = thread;
    if (thread != self)
        coroutine_pause(self->coroutine);
}

void step(const char *what_was_done)
{
    struct thread *next;

    if (!current)
        return;
    note_step(what_was_done);
    next = pick_thread(true);
    preemption_count += next != current;
    leave_for(next);
}

bool fails_for_no_reason(void)
{
    if (!current || rare_count == max_rare || decide(2) == 0)
        return false;
    rare_count++;
    return true;
}

void sleep_until(bool (*is_over)(void), enum sleep kind)
{
    if (!current || is_over())
        return;
    note_step("sleeps");
    current->sleeps_until = is_over;
    current->may_wake_early = kind == SLEEP_MAY_END_EARLY;
    leave_for(pick_thread(false));
    current->sleeps_until = NULL;
    rare_count += !is_over();
    note_step(is_over() ? "is woken" : "wakes early");
}

static void run_threads_body(void *data)
{
    struct thread *thread = data;

    for (;;) {
        thread->body();
        thread->has_ended = true;
        note_step("ends");
        picked = pick_thread(false);
        coroutine_pause(thread->coroutine);
    }
}

static void run_once(const struct program *program)
{
    decided_count = preemption_count = rare_count = step_count = 0;
    program->begin();
    for (struct thread *thread = threads; thread < threads + thread_count; thread++)
        thread->has_ended = false;
    picked = pick_thread(false);
    while (picked && !failure) {
        current = picked;
        coroutine_resume(current->coroutine);
    }
    current = NULL;
    for (unsigned i = 0; i < thread_count && !failure; i++) {
        if (!threads[i].has_ended)
            fail_run("deadlock: nobody will wake who sleeps");
    }
    if (!failure)
        failure = program->check();
}

static void print_failure(const struct program *program, unsigned run_count)
{
    print_error("%s, run %u: %s\n", program->name, run_count, failure);
    for (unsigned i = 0; i < step_count; i++)
        print_error("  %*sthread %u: %s\n", (int)trace[i].thread * 24, "", trace[i].thread,
                    trace[i].what);
}

/* The thread sanitizer takes its time to switch, and valgrind for everything. */
static bool is_slow(void)
{
#ifdef AIOL__TSAN
    return true;
#elif defined(RUNNING_ON_VALGRIND)
    return RUNNING_ON_VALGRIND;
#else
    return false;
#endif
}

bool explore(const struct program *program)
{
    unsigned run_count = 0;

    failure = NULL;
    current = NULL; /* an earlier program may have crashed in a thread */
    path_length = thread_count = 0;
    max_rare = is_slow() ? 0 : 1;
    while (thread_count < EXPLORER_MAX_THREADS && program->threads[thread_count]) {
        struct thread *thread = &threads[thread_count++];

        *thread = (struct thread){.body = program->threads[thread - threads]};
        thread->coroutine = coroutine_new(run_threads_body, thread);
        if (!thread->coroutine)
            failure = "no memory for a thread";
    }
    while (!failure) {
        run_count++;
        run_once(program);
        if (!failure && !turn_off())
            break;
    }
    if (failure)
        print_failure(program, run_count);
    else
        print_message("%s: %u runs\n", program->name, run_count);
    for (unsigned i = 0; i < thread_count; i++)
        coroutine_free(threads[i].coroutine);
    return !failure;
}
