/*
 * A program from its beginning to its end: what it does between turns, what a turn must keep to as
 * a whole (the order of its phases, how long it waits, what is alive after it), and that nothing is
 * left.
 */
#include "platform/sys.h"
#include "subjects.h"

#define MAX_ACTS 1000
#define MAX_TURNS 60
#define MAX_LAST_TURNS 1000
#define MAX_IDLE_TURNS 3
#define DEFAULT_EVENTS 1024
#define QUIET_TURNS 10
#define MANY_QUIET_TURNS 300

uint64_t now_ns(void)
{
    return world.loop ? aiol_loop_now_ns(world.loop) : 0;
}

uint64_t later(uint64_t time_ns, uint64_t delay_ns)
{
    return delay_ns > AIOL_NEVER - time_ns ? AIOL_NEVER : time_ns + delay_ns;
}

uint64_t next_turn(enum phase phase)
{
    return world.turn + (world.phase == OUTSIDE || world.phase >= phase);
}

/* Something is there to do, whatever the descriptors have: so the loop does not wait. */
static bool is_something_ready(void)
{
    return world.is_stopping || is_call_due() || is_post_due() || is_anyone_ready();
}

static void check_wait(void)
{
    uint64_t now = now_ns();

    if (now < world.began_ns)
        fault("time goes backwards");
    if (now == world.began_ns)
        return;
    if (!world.blocks)
        fault("time passes in a turn that does not wait");
    if (is_something_ready() || world.is_owed)
        fault("the loop waits although something is ready");
    if (now > later(world.began_ns, world.limit_ns))
        fault("the loop waits longer than it may");
    if (now > earliest_alarm_ns())
        fault("the loop waits past a deadline");
}

void enter(enum phase phase)
{
    if (world.phase == OUTSIDE || phase < world.phase)
        fault("phase %d comes after phase %d", phase, world.phase);
    if (world.phase <= BEFORE_WAIT && phase > BEFORE_WAIT)
        check_wait();
    if (world.phase <= TIMERS && phase > TIMERS) {
        world.phase = TIMERS;
        alarms_finish();
    }
    world.phase = phase;
}

void enter_unseen_turn(void)
{
    world.turn++;
    world.phase = TIMERS;
    alarms_finish();
    world.phase = TASKS;
}

static int (*poll_before)(struct pollfd *, nfds_t, int);

/* In place of poll(2), which the simulated loop calls when it sees nothing to wait for. */
static int poll_without_sleeping(struct pollfd *fds, nfds_t count, int timeout)
{
    int ready_count = poll_before(fds, count, 0);

    (void)timeout;
    if (ready_count != 0)
        return ready_count;
    world.has_slept = true;
    if (world.runs_freely) {
        fault("the loop sleeps for ever instead of ending with -EDEADLK");
        aiol_loop_stop(world.loop);
    }
    if (is_something_ready() || earliest_alarm_ns() != AIOL_NEVER || is_watcher_owed() ||
        is_anything_under_way())
        fault("the loop sleeps for ever although there is something to do");
    errno = EINTR;
    return -1;
}

/* How long the next turn may wait, by the loop. */
static uint64_t check_next_timeout(void)
{
    uint64_t timeout_ns = aiol_loop_next_timeout_ns(world.loop);
    uint64_t earliest_ns = earliest_alarm_ns();

    if (is_something_ready() || earliest_ns <= now_ns())
        expect("next timeout", 0, (int64_t)timeout_ns, 0);
    else if (later(now_ns(), timeout_ns) > earliest_ns)
        fault("the next timeout is past a deadline");
    else if (earliest_ns == AIOL_NEVER && timeout_ns != AIOL_NEVER && timeout_ns != 0)
        fault("the next timeout is %llu without a deadline", (unsigned long long)timeout_ns);
    return timeout_ns;
}

static void check_count(const char *what, uint32_t kind, uint64_t expected)
{
    expect(what, 0, (int64_t)aiol_loop_alive_count(world.loop, kind), (int64_t)expected);
}

static void check_alive(void)
{
    uint64_t io_count = aiol_loop_alive_count(world.loop, AIOL_ALIVE_IO);

    check_count("alive: timers", AIOL_ALIVE_TIMER, alarm_ref_count());
    check_count("alive: deferred calls", AIOL_ALIVE_DEFERRED, calls_due());
    check_count("alive: posters", AIOL_ALIVE_POSTER, posters_alive());
    check_count("alive: tasks", AIOL_ALIVE_TASK, tasks_alive());
    /* A task that waits for a descriptor has a watcher, unless it was woken. */
    if (io_count < watcher_ref_count() || io_count > watcher_ref_count() + tasks_alive())
        fault("%llu watchers are alive, not %llu", (unsigned long long)io_count,
              (unsigned long long)watcher_ref_count());
    expect("alive", 0, aiol_loop_is_alive(world.loop),
           io_count || alarm_ref_count() || calls_due() || posters_alive() || tasks_alive());
}

static void check_subjects(void)
{
    check_waits();
    for (size_t i = 0; i < SUBJECT_COUNT; i++) {
        if (subjects[i]->check)
            subjects[i]->check();
    }
    check_alive();
}

/* A turn that may wait for ever does something, or lets time pass. Now and then it is woken for
 * nothing, but not again and again; nor are tasks, which may go on one in a turn. */
static void check_progress(void)
{
    uint64_t limit = MAX_IDLE_TURNS + (world.max_steps < MAX_ACTORS ? tasks_alive() : 0);

    if (now_ns() > world.began_ns || world.event_count > world.idle_event_count)
        world.idle_turns = 0;
    else if (!world.has_slept && ++world.idle_turns > limit)
        fault("the loop turns, and neither does anything nor waits");
    world.idle_event_count = world.event_count;
}

static void take_turn(uint64_t limit_ns)
{
    int rc;

    world.has_slept = false;
    world.began_ns = now_ns();
    world.limit_ns = limit_ns;
    world.blocks = limit_ns > 0 && check_next_timeout() > 0;
    world.is_owed = is_watcher_owed();
    world.turn++;
    world.phase = BEFORE_WAIT;
    rc = aiol_loop_run_once(world.loop, limit_ns);
    enter(END_OF_TURN);
    if (!world.fault[0])
        check_subjects();
    expect("the turn's result", 0, rc, aiol_loop_is_alive(world.loop));
    if (limit_ns == AIOL_NEVER && !world.is_stopping)
        check_progress();
    world.is_stopping = false;
    world.phase = OUTSIDE;
}

static void act_outside(void)
{
    for (unsigned count = below(8); count > 0; count--)
        act();
    if (chance(16)) {
        aiol_loop_stop(world.loop);
        world.is_stopping = true;
    }
    if (chance(8))
        expect("prepare", 0, aiol_loop_prepare(world.loop), 0);
    if (chance(16) && (calls_due() || tasks_alive() || alarm_ref_count() || watcher_ref_count()))
        expect("free while alive", 0, aiol_loop_free(world.loop), -EBUSY);
}

/* Begin nothing for some turns, and see that what was begun goes on. */
static void take_quiet_turns(void)
{
    unsigned count = world.max_events < DEFAULT_EVENTS && chance(4) ? MANY_QUIET_TURNS
                                                                    : QUIET_TURNS;

    for (; count > 0 && !world.fault[0]; count--)
        take_turn(AIOL_NEVER);
}

/* Cancel all tasks, and turn until the last one has ended. */
static void end_tasks_by_cancel(void)
{
    cancel_all_scopes();
    for (int i = 0; i < MAX_LAST_TURNS && tasks_alive() && !world.fault[0]; i++)
        take_turn(0);
    if (tasks_alive())
        fault("%llu cancelled tasks do not end", (unsigned long long)tasks_alive());
}

/* Stop all but the tasks, and have the loop run until these end by themselves, or none of them can
 * be woken any more. */
static void end_tasks_by_run(void)
{
    int rc;

    for (size_t i = 0; i < SUBJECT_COUNT; i++) {
        if (subjects[i]->stop)
            subjects[i]->stop();
    }
    take_turn(0); /* posts cannot be stopped */
    if (world.fault[0])
        return;
    world.runs_freely = true;
    world.phase = TASKS;
    rc = aiol_loop_run(world.loop);
    expect("the run's result", 0, rc, world.was_deadlocked ? -EDEADLK : 0);
    if (tasks_alive())
        fault("%llu tasks are left after a run", (unsigned long long)tasks_alive());
    world.runs_freely = false;
    world.phase = OUTSIDE;
}

static void begin_world(uint64_t seed, uint64_t loop_seed, bool is_verbose)
{
    static const uint32_t max_events[] = {0, 0, 0, 1, 2, 3}, max_steps[] = {0, 0, 0, 1, 2, 5};
    struct aiol_loop_options options = {.size = sizeof options,
                                        .allocator = &counting_allocator,
                                        .clock = AIOL_CLOCK_VIRTUAL,
                                        .seed = loop_seed};

    world = (struct world){.seed = seed, .random_state = seed, .is_verbose = is_verbose};
    world.acts_left = 50 + below(MAX_ACTS);
    options.max_events_per_turn = max_events[below(COUNT_OF(max_events))];
    options.max_task_steps_per_turn = max_steps[below(COUNT_OF(max_steps))];
    world.max_events = options.max_events_per_turn ? options.max_events_per_turn : DEFAULT_EVENTS;
    world.max_steps = options.max_task_steps_per_turn ? options.max_task_steps_per_turn : 1024;
    choose_weights();
    if (aiol_loop_new(&options, &world.loop) < 0) {
        fault("no loop");
        return;
    }
    waits_begin();
    for (size_t i = 0; i < SUBJECT_COUNT; i++)
        subjects[i]->begin();
}

/* Nothing keeps the loop any more, but that posts are on their way. */
static void free_world(void)
{
    for (size_t i = 0; i < SUBJECT_COUNT; i++) {
        if (subjects[i]->end)
            subjects[i]->end();
    }
    posts_before_free();
    expect("free", 0, aiol_loop_free(world.loop), 0);
    world.loop = NULL;
    posts_after_free();
}

bool run_program(uint64_t seed, uint64_t loop_seed, bool is_verbose)
{
    long allocated_before = allocations_alive();
    int fds_before = count_open_fds();
    unsigned turns;

    begin_world(seed, loop_seed, is_verbose);
    poll_before = aiol__sys.poll;
    aiol__sys.poll = poll_without_sleeping;
    for (turns = 10 + below(MAX_TURNS); turns > 0 && !world.fault[0]; turns--) {
        act_outside();
        take_turn(chance(3) ? 0 : chance(2) ? AIOL_NEVER : random_delay());
    }
    world.is_ending = true;
    take_quiet_turns();
    if (!world.fault[0]) {
        if (chance(2))
            end_tasks_by_cancel();
        else
            end_tasks_by_run();
    }
    if (!world.fault[0])
        free_world();
    if (!world.fault[0]) {
        expect("allocations left", 0, allocations_alive(), allocated_before);
        expect("descriptors left", 0, count_open_fds(), fds_before);
    }
    aiol__sys.poll = poll_before;
    return !world.fault[0];
}
