/* Hooks around waits that fail. */
#include "faults.h"

/* How many of the waits that were begun have ended. */
struct waits {
    int begun_count;
    int ended_count;
    int misplaced_count;
};

static void begin_wait(struct aiol_hook *hook, void *data)
{
    struct waits *waits = data;

    (void)hook;
    waits->misplaced_count += waits->begun_count != waits->ended_count;
    waits->begun_count++;
}

static void end_wait(struct aiol_hook *hook, void *data)
{
    struct waits *waits = data;

    (void)hook;
    waits->ended_count++;
    waits->misplaced_count += waits->begun_count != waits->ended_count;
}

static void ignore_timer(struct aiol_timer *timer, void *data)
{
    (void)timer;
    (void)data;
}

static void stop_watcher(struct aiol_io *io, uint32_t ready, void *data)
{
    (void)ready;
    (void)data;
    aiol_io_stop(io);
}

/* One turn waits for a timer. In another one the wait may fail, since the poller is told that the
 * watcher wants something else than before. */
static int wait_with_hooks(struct aiol_loop *loop, const int fds[2])
{
    struct aiol_timer timer;
    struct aiol_io io;
    int rc;

    aiol_timer_init(&timer, loop, ignore_timer, NULL);
    aiol_io_init(&io, loop, fds[0], stop_watcher, NULL);
    rc = aiol_timer_start(&timer, AIOL_SECOND);
    if (rc == 0)
        rc = run_loop(loop);
    if (rc == 0)
        rc = aiol_io_start(&io, AIOL_READABLE);
    if (rc == 0)
        rc = aiol_io_start(&io, AIOL_WRITABLE);
    if (rc == 0)
        rc = run_loop(loop);
    aiol_timer_stop(&timer);
    aiol_io_close(&io);
    return rc;
}

static int use_hooks(struct aiol_loop *loop)
{
    struct waits waits = {0};
    struct aiol_hook before;
    struct aiol_hook *after = NULL;
    int fds[2];
    int rc = open_pair(loop, fds);

    if (rc < 0)
        return rc;
    aiol_hook_init(&before, loop, AIOL_HOOK_BEFORE_WAIT, begin_wait, &waits);
    rc = aiol_hook_start(&before);
    if (rc == 0)
        rc = aiol_hook_new(loop, AIOL_HOOK_AFTER_WAIT, end_wait, &waits, &after);
    if (rc == 0)
        rc = aiol_hook_start(after);
    if (rc == 0)
        rc = expect(aiol_hook_is_active(after) == 1, "a started hook is active");
    if (rc == 0)
        rc = wait_with_hooks(loop, fds);
    if (rc == 0)
        rc = expect(waits.begun_count > 0, "the hooks are called");
    /* Also around a wait that failed. */
    if (waits.begun_count != waits.ended_count || waits.misplaced_count != 0)
        rc = expect(false, "the hooks are called in pairs");
    aiol_hook_stop(&before);
    aiol_hook_free(after);
    return aiol_first_error(rc, close_pair(loop, fds));
}

static void test_hooks(void **state)
{
    (void)state;
    inject_faults("hooks", use_hooks, ON_BOTH);
}

static void test_sizes_cannot_fail(void **state)
{
    (void)state;
    assert_int_equal(aiol_hook_size(), sizeof(struct aiol_hook));
    assert_int_equal(aiol_hook_align(), _Alignof(struct aiol_hook));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(test_hooks),
        TEST(test_sizes_cannot_fail),
    };

    return cmocka_run_group_tests_name("faults/hook", tests, NULL, print_points);
}
