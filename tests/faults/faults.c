/* The harness: one run after the other, and what is looked at after each. */
#include "faults.h"
#include "injection.h"

#include <errno.h>
#include <limits.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#define MAX_POINTS_OF_A_CALL 64 /* of one kind of call in one scenario */
#define MAX_REPORTS 20
#define HANGING_SECONDS 20

struct scenario {
    const char *name;
    int (*on_loop)(struct aiol_loop *loop); /* one of these two */
    int (*alone)(const struct aiol_loop_options *options);
    uint32_t clock;
    bool is_on_old_system;

    long clean_calls[CALL_COUNT]; /* what a run without faults makes */
    long max_calls;
    long allocation_points;
    long call_points;
    bool has_left_out; /* a call that was made too often to fail each time */
    int failure_count;
};

static char point[256];           /* the run that is under way, for people */
static const char *what_is_wrong; /* of a result that is */
static long total_points;

static const int crash_signals[] = {SIGALRM, SIGABRT, SIGSEGV, SIGBUS};
static struct sigaction old_actions[COUNT_OF(crash_signals)];

/* Says where it happened, and leaves the rest to whoever has this signal otherwise. */
static void report_crash(int signal_number)
{
    const char *what = signal_number == SIGALRM ? "HANGS: " : "CRASHES: ";

    (void)!write(STDERR_FILENO, what, strlen(what));
    (void)!write(STDERR_FILENO, point, strlen(point));
    (void)!write(STDERR_FILENO, "\n", 1);
    if (signal_number == SIGALRM)
        _exit(1);
    for (size_t i = 0; i < COUNT_OF(crash_signals); i++)
        sigaction(crash_signals[i], &old_actions[i], NULL);
    if (signal_number == SIGABRT)
        raise(signal_number);
}

static void watch_for_crashes(void)
{
    struct sigaction action = {.sa_handler = report_crash};

    for (size_t i = 0; i < COUNT_OF(crash_signals); i++)
        sigaction(crash_signals[i], &action, &old_actions[i]);
}

static void stop_watching_for_crashes(void)
{
    for (size_t i = 0; i < COUNT_OF(crash_signals); i++)
        sigaction(crash_signals[i], &old_actions[i], NULL);
}

int expect(bool is_so, const char *what)
{
    if (!is_so)
        what_is_wrong = what;
    return is_so ? 0 : WRONG_RESULT;
}

static void check(struct scenario *scenario, bool is_so, const char *complaint, long number)
{
    if (is_so)
        return;
    if (++scenario->failure_count <= MAX_REPORTS)
        print_error("%s: %s (%ld)\n", point, complaint, number);
}

static int run_on_loop(struct scenario *scenario, const struct aiol_loop_options *options)
{
    struct aiol_loop *loop = NULL;
    int rc = aiol_loop_new(options, &loop);
    const char *what_is_wrong_here;
    int probe_rc, free_rc;

    if (rc < 0)
        return rc;
    rc = scenario->on_loop(loop);
    what_is_wrong_here = what_is_wrong;
    pause_injection();
    probe_rc = probe_loop(loop);
    check(scenario, probe_rc == 0, what_is_wrong, probe_rc);
    resume_injection();
    what_is_wrong = what_is_wrong_here;
    free_rc = aiol_loop_free(loop);
    check(scenario, free_rc == 0, "the loop cannot be freed", free_rc);
    return rc;
}

/* A scenario that makes its loop itself leaves none to be probed; but what the library has besides
 * loops must still work. */
static int run_alone(struct scenario *scenario, const struct aiol_loop_options *options)
{
    int rc = scenario->alone(options), rc_again;

    pause_injection();
    rc_again = scenario->alone(options);
    check(scenario, rc_again == 0, "does not work the next time", rc_again);
    resume_injection();
    return rc;
}

/* One run. Says whether anything was made to fail in it. */
static bool run_point(struct scenario *scenario, struct plan *plan)
{
    struct aiol_loop_options options = {
        .size = sizeof options, .allocator = &failing_allocator, .clock = scenario->clock};
    long allocations = held_allocations(), mapped_bytes = held_mapped_bytes();
    int fds = count_open_fds(), rc;
    bool was_injected;

    plan->is_old_system = scenario->is_on_old_system;
    plan->max_calls = scenario->max_calls;
    what_is_wrong = "wrong";
    alarm(HANGING_SECONDS);
    begin_injection(plan);
    rc = scenario->on_loop ? run_on_loop(scenario, &options) : run_alone(scenario, &options);
    was_injected = end_injection();
    alarm(0);

    if (rc == WRONG_RESULT)
        check(scenario, false, what_is_wrong, rc);
    else
        check(scenario, rc <= 0 && strcmp(aiol_error_name(rc), "UNKNOWN") != 0,
              "returns what is no result", rc);
    check(scenario, rc == 0 || was_injected, "fails although nothing was made to fail", rc);
    check(scenario, rc == 0 || !plan->fault || !(plan->fault->flags & FAULT_NO_NEWS),
          "sees what the library should deal with", rc);
    check(scenario, !has_spun(), "spins: calls made", all_calls_made());
    allocations = held_allocations() - allocations;
    check(scenario, allocations == 0, "leaves allocations", allocations);
    mapped_bytes = held_mapped_bytes() - mapped_bytes;
    check(scenario, mapped_bytes == 0, "leaves mapped bytes", mapped_bytes);
    fds = count_open_fds() - fds;
    check(scenario, fds == 0, "leaves descriptors", fds);
    return was_injected;
}

/* Where the run is: the scenario, on which loop, and what goes wrong there. */
static void name_point(const struct scenario *scenario, const char *what, const struct plan *plan)
{
    const char *loop = scenario->clock == AIOL_CLOCK_VIRTUAL ? "simulated loop" : "real loop";
    const char *system = scenario->is_on_old_system ? ", older system" : "";
    char repeats[32] = "from then on";

    if (plan->repeat_count < LONG_MAX)
        snprintf(repeats, sizeof repeats, "%ld in a row", plan->repeat_count);
    snprintf(point, sizeof point, "%s, %s%s: %s, number %ld, %s", scenario->name, loop, system,
             what, plan->allocation + plan->call, repeats);
}

static void run_clean(struct scenario *scenario)
{
    struct plan plan = {0};

    scenario->max_calls = 0;
    name_point(scenario, "nothing fails", &plan);
    run_point(scenario, &plan);
    for (int call = 0; call < CALL_COUNT; call++)
        scenario->clean_calls[call] = calls_made((enum call)call);
    scenario->max_calls = 50 * all_calls_made() + 1000;
}

/* Until there are fewer allocations than that. */
static void fail_allocations(struct scenario *scenario, long repeat_count)
{
    for (long number = 1;; number++) {
        struct plan plan = {.allocation = number, .repeat_count = repeat_count};

        name_point(scenario, "allocation", &plan);
        if (!run_point(scenario, &plan))
            break;
        scenario->allocation_points++;
    }
}

static void fail_calls(struct scenario *scenario, const struct fault *fault, long repeat_count)
{
    long call_count = scenario->clean_calls[fault->call];

    for (long number = 1; number <= call_count && number <= MAX_POINTS_OF_A_CALL; number++) {
        struct plan plan = {.fault = fault, .call = number, .repeat_count = repeat_count};

        name_point(scenario, fault->name, &plan);
        scenario->call_points += run_point(scenario, &plan);
    }
    if (call_count > MAX_POINTS_OF_A_CALL)
        scenario->has_left_out = true;
}

/* On one kind of loop and system. */
static void inject_all(struct scenario *scenario)
{
    run_clean(scenario);
    if (scenario->failure_count > 0)
        return;
    fail_allocations(scenario, 1);
    fail_allocations(scenario, LONG_MAX);
    for (size_t i = 0; i < all_faults_count; i++) {
        fail_calls(scenario, &all_faults[i], 1);
        fail_calls(scenario, &all_faults[i], all_faults[i].longest);
    }
}

static void inject_on(struct scenario *scenario, unsigned loops)
{
    install_failing_calls();
    watch_for_crashes();
    for (unsigned i = 0; i < 4; i++) {
        scenario->clock = i & 1 ? AIOL_CLOCK_VIRTUAL : AIOL_CLOCK_MONOTONIC;
        scenario->is_on_old_system = i & 2;
        if (loops & (i & 1 ? ON_SIMULATED : ON_REAL))
            inject_all(scenario);
    }
    stop_watching_for_crashes();
    remove_failing_calls();
    print_message("points: %6ld allocations, %6ld system calls: %s\n", scenario->allocation_points,
                  scenario->call_points, scenario->name);
    if (scenario->has_left_out)
        print_message("        of each kind of call only the first %d\n", MAX_POINTS_OF_A_CALL);
    total_points += scenario->allocation_points + scenario->call_points;
    assert_int_equal(scenario->failure_count, 0);
}

void inject_faults(const char *name, int (*scenario)(struct aiol_loop *loop), unsigned loops)
{
    struct scenario runs = {.name = name, .on_loop = scenario};

    inject_on(&runs, loops);
}

void inject_faults_alone(const char *name, int (*scenario)(const struct aiol_loop_options *options),
                         unsigned loops)
{
    struct scenario runs = {.name = name, .alone = scenario};

    inject_on(&runs, loops);
}

int print_points(void **state)
{
    (void)state;
    print_message("points: %ld in all\n", total_points);
    return 0;
}
