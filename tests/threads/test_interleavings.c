/*
 * The mailbox and the posters under every order of the threads' steps with up to two preemptions
 * (explorer.h). The code is the library's own: this file includes src/reactor/mailbox.c and
 * poster.c with their atomic operations made into steps, and replaces what wakes and what polls by
 * models. The loop that takes the posts is the library's as well.
 *
 * Not covered: weak memory, since the steps are sequentially consistent here, and data races, since
 * what stands between two steps is done in one go: both are the thread sanitizer's business, in
 * test_posts.c and test_posters.c. Signal handlers, but for what is the same as a preemption during
 * which the other thread comes to its end. Three preemptions and more.
 */
#include "checked_memory.h"
#include "explorer.h"
#include "modelled_wakeup.h"
#include "stepped_atomics.h"
#include "support.h"

#include <string.h>

#include "reactor/mailbox.c"
#include "reactor/poster.c"

#define MAX_LETTERS 2
#define MAX_WAKERS 2
#define NODE_BYTES (sizeof(struct aiol_post))

/* What all programs share: thread 0 has a loop; the others hold a reference to a poster each. */
static struct aiol_loop *loop;
static struct aiol_poster *poster;
static const char *problem; /* that a thread has noticed */

static struct letter {
    struct aiol_post post;
    bool has_own_node;
    bool is_accepted;
    unsigned told_count;
    int status;
    unsigned place; /* among all that were delivered */
} letters[MAX_LETTERS];
static unsigned delivered_count;

/* A wake is as good as a post: the loop will come once more to take what was posted. This is the
 * number of that time, or 0 before the wake. */
static unsigned awaited_take[MAX_WAKERS];
static bool served_wakes;

static void expect(bool is_true, const char *otherwise)
{
    if (!is_true && !problem)
        problem = otherwise;
}

static void begin_with(unsigned reference_count)
{
    struct aiol_loop_options options = {.size = sizeof options, .allocator = &checked_allocator};

    reset_memory();
    memset(&system_model, 0, sizeof system_model);
    memset(letters, 0, sizeof letters);
    memset(awaited_take, 0, sizeof awaited_take);
    delivered_count = take_count = 0;
    served_wakes = false;
    problem = NULL;
    expect(aiol_loop_new(&options, &loop) == 0, "no loop");
    expect(aiol_poster_new(loop, &poster) == 0, "no poster");
    for (unsigned i = 1; i < reference_count; i++)
        aiol_poster_retain(poster);
}

static void begin_with_one_reference(void)
{
    begin_with(1);
}

static void begin_with_two_references(void)
{
    begin_with(2);
}

static void receive(int status, void *data)
{
    struct letter *letter = data;

    letter->told_count++;
    letter->status = status;
    letter->place = delivered_count++;
    if (letter->has_own_node)
        spoil_memory(&letter->post, NODE_BYTES);
    step("is called back");
}

static void send_node(struct letter *letter)
{
    int rc;

    letter->has_own_node = true;
    aiol_post_init(&letter->post, receive, letter);
    rc = aiol_poster_post_node(poster, &letter->post);
    letter->is_accepted = rc == 0;
    expect(rc == 0 || rc == AIOL_ECLOSED, "a post has failed in another way");
}

static void send_copy(struct letter *letter)
{
    int rc = aiol_poster_post(poster, receive, letter);

    letter->is_accepted = rc == 0;
    expect(rc == 0 || rc == AIOL_ECLOSED, "a post has failed in another way");
}

static void release_poster(void)
{
    aiol_poster_release(poster);
}

static void free_the_loop(void)
{
    expect(aiol_loop_free(loop) == 0, "the loop was not freed");
}

static void run_until_released(void)
{
    expect(aiol_loop_run(loop) == 0, "the run has failed");
    free_the_loop();
}

/* Of two posts of one thread. */
static bool is_in_order(const struct letter *first, const struct letter *second)
{
    return !second->is_accepted || (first->is_accepted && first->place < second->place);
}

static const char *check_all(void)
{
    for (unsigned i = 0; i < MAX_LETTERS; i++) {
        struct letter *letter = &letters[i];

        if (letter->told_count != letter->is_accepted)
            return letter->is_accepted ? "a post was lost, or delivered twice"
                                       : "a refused post was delivered";
        if (letter->is_accepted && letter->status != 0 && letter->status != AIOL_ECLOSED)
            return "a post was told something else";
        if (letter->is_accepted && letter->has_own_node &&
            !is_memory_spoilt(&letter->post, NODE_BYTES))
            return "a node was touched after its callback was entered";
    }
    if (system_model.signal_count > system_model.sleep_count)
        return "more signals than sleeps";
    if (system_model.is_open)
        return "the wakeup descriptor is still open";
    return problem ? problem : check_memory();
}

static void check_all_orders(const struct program *program)
{
    /* Of a run that broke off in the middle some may still be in use. */
    abandon_memory();
    assert_true(explore(program));
    reset_memory();
}

/* Posts are delivered with 0 as long as the loop runs. */
static const char *check_delivered(void)
{
    for (unsigned i = 0; i < MAX_LETTERS; i++)
        expect(letters[i].status == 0, "a post was told that the loop is gone");
    return check_all();
}

static const char *check_delivered_in_order(void)
{
    expect(letters[0].is_accepted && letters[1].is_accepted, "a post was refused");
    expect(is_in_order(&letters[0], &letters[1]), "the posts were delivered out of order");
    return check_delivered();
}

static const char *check_told_in_order(void)
{
    expect(is_in_order(&letters[0], &letters[1]), "the posts were told out of order");
    expect(!letters[1].is_accepted || letters[1].status != 0 || letters[0].status == 0,
           "only the later post was delivered");
    return check_all();
}

static void send_two_and_release(void)
{
    send_node(&letters[0]);
    send_copy(&letters[1]);
    release_poster();
}

static void test_p2_posts_of_one_thread(void **state)
{
    static const struct program program = {.name = "posts of one thread",
                                           .begin = begin_with_one_reference,
                                           .threads = {run_until_released, send_two_and_release},
                                           .check = check_delivered_in_order};

    (void)state;
    check_all_orders(&program);
}

static void send_node_and_release(void)
{
    send_node(&letters[0]);
    release_poster();
}

static void send_copy_and_release(void)
{
    send_copy(&letters[1]);
    release_poster();
}

static void test_p2_posts_of_two_threads(void **state)
{
    static const struct program program = {
        .name = "posts of two threads",
        .begin = begin_with_two_references,
        .threads = {run_until_released, send_node_and_release, send_copy_and_release},
        .check = check_delivered};

    (void)state;
    check_all_orders(&program);
}

/* Those that release nothing before their post was delivered: no later post of theirs wakes the
 * loop in its place. */
static bool is_first_told(void)
{
    return letters[0].told_count > 0;
}

static bool is_second_told(void)
{
    return letters[1].told_count > 0;
}

static void send_node_and_await(void)
{
    send_node(&letters[0]);
    sleep_until(is_first_told, SLEEP_TO_THE_END);
    release_poster();
}

static void send_copy_and_await(void)
{
    send_copy(&letters[1]);
    sleep_until(is_second_told, SLEEP_TO_THE_END);
    release_poster();
}

static void test_p2_posts_of_two_threads_that_await_them(void **state)
{
    static const struct program program = {
        .name = "posts of two threads that await them",
        .begin = begin_with_two_references,
        .threads = {run_until_released, send_node_and_await, send_copy_and_await},
        .check = check_delivered};

    (void)state;
    check_all_orders(&program);
}

/* The turn of a loop that is embedded: the other loop does the waiting. */
static void run_embedded_until_released(void)
{
    while (aiol_loop_is_alive(loop)) {
        expect(aiol_loop_prepare(loop) == 0, "preparing has failed");
        system_model.sleep_count++;
        if (aiol_loop_next_timeout_ns(loop) > 0)
            sleep_until(is_wakeup_readable, SLEEP_MAY_END_EARLY);
        expect(aiol_loop_run_once(loop, 0) >= 0, "the turn has failed");
    }
    free_the_loop();
}

static void test_p2_posts_to_an_embedded_loop(void **state)
{
    static const struct program program = {
        .name = "posts to an embedded loop",
        .begin = begin_with_two_references,
        .threads = {run_embedded_until_released, send_node_and_await, send_copy_and_release},
        .check = check_delivered};

    (void)state;
    check_all_orders(&program);
}

static void send_from_callback(int status, void *data)
{
    receive(status, data);
    send_node(&letters[1]);
    release_poster();
}

static void send_what_sends_and_release(void)
{
    struct letter *letter = &letters[0];

    aiol_poster_retain(poster); /* for the callback */
    letter->has_own_node = true;
    aiol_post_init(&letter->post, send_from_callback, letter);
    letter->is_accepted = aiol_poster_post_node(poster, &letter->post) == 0;
    release_poster();
}

static void test_p2_a_post_of_a_callback(void **state)
{
    static const struct program program = {
        .name = "a post of a callback",
        .begin = begin_with_one_reference,
        .threads = {run_until_released, send_what_sends_and_release},
        .check = check_delivered_in_order};

    (void)state;
    check_all_orders(&program);
}

static bool are_wakes_served(void)
{
    return served_wakes;
}

static void wake_loop(unsigned waker)
{
    awaited_take[waker] = take_count + 1;
    step("is about to wake");
    expect(aiol_poster_wake(poster) == 0, "a wake was refused");
}

/* Giving the reference back is a post, which would wake the loop in the wake's place. */
static void await_and_release(void)
{
    sleep_until(are_wakes_served, SLEEP_TO_THE_END);
    release_poster();
}

static void wake_first(void)
{
    wake_loop(0);
    await_and_release();
}

static void wake_second(void)
{
    wake_loop(1);
    await_and_release();
}

static void wake_and_send(void)
{
    wake_loop(1);
    send_node(&letters[0]);
    await_and_release();
}

static void serve_wakes(void)
{
    for (unsigned i = 0; i < MAX_WAKERS; i++) {
        while (awaited_take[i] == 0 || take_count < awaited_take[i]) {
            step("sees that it is to wait");
            expect(aiol_loop_run_once(loop, AIOL_NEVER) == 1, "the turn has failed");
        }
    }
    served_wakes = true;
    run_until_released();
}

static void test_p2_wakes_of_two_threads(void **state)
{
    static const struct program program = {.name = "wakes of two threads",
                                           .begin = begin_with_two_references,
                                           .threads = {serve_wakes, wake_first, wake_second},
                                           .check = check_delivered};

    (void)state;
    check_all_orders(&program);
}

static void test_p2_wakes_and_a_post(void **state)
{
    static const struct program program = {.name = "wakes and a post",
                                           .begin = begin_with_two_references,
                                           .threads = {serve_wakes, wake_first, wake_and_send},
                                           .check = check_delivered};

    (void)state;
    check_all_orders(&program);
}

/* From here on the loop does not wait for anyone. */
static void turn_and_free(void)
{
    expect(aiol_loop_run_once(loop, 0) >= 0, "the turn has failed");
    free_the_loop();
}

static void test_p7_the_loop_is_freed_while_a_thread_posts(void **state)
{
    static const struct program program = {.name = "free while a thread posts",
                                           .begin = begin_with_one_reference,
                                           .threads = {turn_and_free, send_two_and_release},
                                           .check = check_told_in_order};

    (void)state;
    check_all_orders(&program);
}

static void test_p7_the_loop_is_freed_while_two_threads_post(void **state)
{
    static const struct program program = {
        .name = "free while two threads post",
        .begin = begin_with_two_references,
        .threads = {turn_and_free, send_node_and_release, send_copy_and_release},
        .check = check_all};

    (void)state;
    check_all_orders(&program);
}

static void wake_and_release(void)
{
    int rc = aiol_poster_wake(poster);

    expect(rc == 0 || rc == AIOL_ECLOSED, "a wake has failed in another way");
    release_poster();
}

static void test_p7_the_loop_is_freed_while_two_threads_wake(void **state)
{
    static const struct program program = {
        .name = "free while two threads wake",
        .begin = begin_with_two_references,
        .threads = {turn_and_free, wake_and_release, wake_and_release},
        .check = check_all};

    (void)state;
    check_all_orders(&program);
}

static void test_p7_the_loop_is_freed_while_the_last_references_are_released(void **state)
{
    static const struct program program = {
        .name = "free while two threads release",
        .begin = begin_with_two_references,
        .threads = {turn_and_free, release_poster, release_poster},
        .check = check_all};

    (void)state;
    check_all_orders(&program);
}

static void test_p7_the_last_release_ends_the_run_and_the_loop(void **state)
{
    static const struct program program = {
        .name = "the last release ends the run",
        .begin = begin_with_two_references,
        .threads = {run_until_released, release_poster, release_poster},
        .check = check_all};

    (void)state;
    check_all_orders(&program);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(test_p2_posts_of_one_thread),
        TEST(test_p2_posts_of_two_threads),
        TEST(test_p2_posts_of_two_threads_that_await_them),
        TEST(test_p2_posts_to_an_embedded_loop),
        TEST(test_p2_a_post_of_a_callback),
        TEST(test_p2_wakes_of_two_threads),
        TEST(test_p2_wakes_and_a_post),
        TEST(test_p7_the_loop_is_freed_while_a_thread_posts),
        TEST(test_p7_the_loop_is_freed_while_two_threads_post),
        TEST(test_p7_the_loop_is_freed_while_two_threads_wake),
        TEST(test_p7_the_loop_is_freed_while_the_last_references_are_released),
        TEST(test_p7_the_last_release_ends_the_run_and_the_loop),
    };

    return cmocka_run_group_tests_name("threads/interleavings", tests, NULL, NULL);
}
