/* Posts from other threads and from signal handlers, and posters that outlive their loop. */
#include "support.h"

#include <aiol/error.h>

#include <errno.h>
#include <pthread.h>
#include <sched.h>
#include <signal.h>
#include <string.h>
#include <unistd.h>

#define THREAD_COUNT 4
#define POSTS_PER_THREAD 5000

struct letter {
    struct notes *notes;
    char name;
    int status;
    struct aiol_poster *poster;
    struct aiol_post post;
};

static void read_letter(int status, void *data)
{
    struct letter *letter = data;

    letter->status = status;
    note(letter->notes, letter->name);
}

static void test_p6_posts_are_delivered_in_the_order_in_which_they_were_made(void **state)
{
    struct aiol_loop *loop = new_sim_loop(1);
    struct notes notes = {.length = 0};
    struct letter letters[4];
    struct aiol_poster *poster;

    (void)state;
    assert_int_equal(aiol_poster_new(loop, &poster), 0);
    for (int i = 0; i < 4; i++) {
        letters[i] = (struct letter){.notes = &notes, .name = (char)('a' + i), .status = -1};
        aiol_post_init(&letters[i].post, read_letter, &letters[i]);
        if (i % 2)
            assert_int_equal(aiol_poster_post_node(poster, &letters[i].post), 0);
        else
            assert_int_equal(aiol_poster_post(poster, read_letter, &letters[i]), 0);
    }
    assert_int_equal(notes.length, 0);
    assert_int_equal(aiol_loop_run_once(loop, AIOL_NEVER), 1);
    assert_string_equal(notes.text, "abcd");
    assert_int_equal(letters[0].status, 0);
    aiol_poster_release(poster);
    assert_int_equal(aiol_loop_run(loop), 0);
    free_loop(loop);
}

static void post_again(int status, void *data)
{
    struct letter *letter = data;

    read_letter(status, letter);
    if (letter->notes->length < 5)
        aiol_poster_post_node(letter->poster, &letter->post);
}

static void test_a_post_made_in_a_post_waits_for_a_next_turn_that_does_not_block(void **state)
{
    struct aiol_loop *loop = new_sim_loop(1);
    struct notes notes = {.length = 0};
    struct letter letter = {.notes = &notes, .name = 'p'};

    (void)state;
    assert_int_equal(aiol_poster_new(loop, &letter.poster), 0);
    aiol_post_init(&letter.post, post_again, &letter);
    assert_int_equal(aiol_poster_post_node(letter.poster, &letter.post), 0);
    for (size_t i = 1; i <= 5; i++) {
        aiol_loop_run_once(loop, AIOL_NEVER);
        assert_int_equal(notes.length, i);
    }
    aiol_poster_release(letter.poster);
    assert_int_equal(aiol_loop_run(loop), 0);
    free_loop(loop);
}

/* The node of a post is its owner's again in its callback, who may do anything with it. */
static void poison_letter(int status, void *data)
{
    struct letter *letter = data;

    read_letter(status, letter);
    memset(&letter->post, 0xa5, sizeof letter->post);
}

static void test_p1_a_post_may_end_its_nodes_life_in_its_callback(void **state)
{
    struct aiol_loop *loop = new_sim_loop(1);
    struct notes notes = {.length = 0};
    struct letter letters[3];
    struct aiol_poster *poster;

    (void)state;
    assert_int_equal(aiol_poster_new(loop, &poster), 0);
    for (int i = 0; i < 3; i++) {
        letters[i] = (struct letter){.notes = &notes, .name = (char)('a' + i)};
        aiol_post_init(&letters[i].post, poison_letter, &letters[i]);
        aiol_poster_post_node(poster, &letters[i].post);
    }
    aiol_poster_release(poster);
    assert_int_equal(aiol_loop_run(loop), 0);
    assert_string_equal(notes.text, "abc");
    free_loop(loop);
}

static void test_p7_posts_left_over_when_the_loop_is_freed_are_told_so(void **state)
{
    struct aiol_loop *loop = new_loop();
    struct notes notes = {.length = 0};
    struct letter letters[3];
    struct aiol_poster *poster;

    (void)state;
    assert_int_equal(aiol_poster_new(loop, &poster), 0);
    for (int i = 0; i < 2; i++) {
        letters[i] = (struct letter){.notes = &notes, .name = (char)('a' + i), .poster = poster};
        aiol_post_init(&letters[i].post, i ? read_letter : post_again, &letters[i]);
        aiol_poster_post_node(poster, &letters[i].post);
    }
    letters[2] = (struct letter){.notes = &notes, .name = 'c'};
    assert_int_equal(aiol_poster_post(poster, read_letter, &letters[2]), 0);
    aiol_poster_retain(poster);
    free_loop(loop);
    assert_string_equal(notes.text, "abc");
    for (int i = 0; i < 3; i++)
        assert_int_equal(letters[i].status, AIOL_ECLOSED);

    /* The loop is gone, the poster is not. */
    assert_int_equal(aiol_poster_post(poster, read_letter, &letters[2]), AIOL_ECLOSED);
    assert_int_equal(aiol_poster_post_node(poster, &letters[1].post), AIOL_ECLOSED);
    assert_int_equal(aiol_poster_wake(poster), AIOL_ECLOSED);
    aiol_poster_unref(poster);
    aiol_poster_ref(poster);
    assert_string_equal(notes.text, "abc");
    aiol_poster_release(poster);
    aiol_poster_release(poster);
    aiol_poster_release(NULL);
}

static void test_a_poster_keeps_the_loop_alive_until_it_is_unrefd_or_released(void **state)
{
    struct aiol_loop *loop = new_sim_loop(1);
    struct aiol_poster *poster;

    (void)state;
    assert_int_equal(aiol_poster_new(loop, &poster), 0);
    assert_int_equal(aiol_loop_is_alive(loop), 1);
    aiol_poster_unref(poster);
    aiol_poster_unref(poster);
    assert_int_equal(aiol_loop_run(loop), 0);
    aiol_poster_ref(poster);
    aiol_poster_ref(poster);
    assert_int_equal(aiol_loop_alive_count(loop, AIOL_ALIVE_POSTER), 1);
    aiol_poster_retain(poster);
    aiol_poster_release(poster);
    assert_int_equal(aiol_loop_run_once(loop, 0), 1);
    aiol_poster_release(poster);
    assert_int_equal(aiol_loop_run(loop), 0);
    assert_int_equal(aiol_loop_alive_count(loop, AIOL_ALIVE_POSTER), 0);
    free_loop(loop);
}

/* What many threads post at once, and the order in which the loop got it. */
struct delivery {
    struct sender *sender;
    int number;
    struct aiol_post post;
};

struct sender {
    pthread_t thread;
    struct aiol_poster *poster;
    int next_number; /* touched in the loop's thread only */
    bool is_out_of_order;
    struct delivery deliveries[POSTS_PER_THREAD];
};

static void receive(int status, void *data)
{
    struct delivery *delivery = data;
    struct sender *sender = delivery->sender;

    if (status != 0 || delivery->number != sender->next_number)
        sender->is_out_of_order = true;
    sender->next_number++;
}

static void *send_all(void *data)
{
    struct sender *sender = data;

    for (int i = 0; i < POSTS_PER_THREAD; i++) {
        struct delivery *delivery = &sender->deliveries[i];

        *delivery = (struct delivery){.sender = sender, .number = i};
        aiol_post_init(&delivery->post, receive, delivery);
        if (i % 2)
            aiol_poster_post_node(sender->poster, &delivery->post);
        else
            aiol_poster_post(sender->poster, receive, delivery);
        if (i % 100 == 0)
            aiol_poster_wake(sender->poster);
    }
    aiol_poster_release(sender->poster);
    return NULL;
}

static void check_threads(struct aiol_loop *loop)
{
    static struct sender senders[THREAD_COUNT];
    struct aiol_poster *poster;

    assert_int_equal(aiol_poster_new(loop, &poster), 0);
    for (int i = 0; i < THREAD_COUNT; i++) {
        senders[i] = (struct sender){.poster = poster};
        aiol_poster_retain(poster);
        assert_int_equal(pthread_create(&senders[i].thread, NULL, send_all, &senders[i]), 0);
    }
    aiol_poster_release(poster);
    assert_int_equal(aiol_loop_run(loop), 0); /* ends with the last reference */
    for (int i = 0; i < THREAD_COUNT; i++) {
        pthread_join(senders[i].thread, NULL);
        assert_int_equal(senders[i].next_number, POSTS_PER_THREAD);
        assert_false(senders[i].is_out_of_order);
    }
    free_loop(loop);
}

static void test_p2_every_post_of_many_threads_is_delivered_once_and_in_order(void **state)
{
    (void)state;
    check_threads(new_loop());
}

static void test_p2_a_simulated_loop_is_woken_by_posts_of_other_threads_too(void **state)
{
    (void)state;
    check_threads(new_sim_loop(1));
}

/* A thread that posts on and on until it is told that the loop is gone. */
static void *post_until_closed(void *data)
{
    struct sender *sender = data;

    while (aiol_poster_post(sender->poster, receive, &sender->deliveries[0]) == 0)
        sched_yield(); /* valgrind runs one thread at a time, and is slow to change it */
    aiol_poster_release(sender->poster);
    return NULL;
}

static void test_p7_a_loop_may_be_freed_while_other_threads_post(void **state)
{
    static struct sender sender;
    struct aiol_loop *loop;

    (void)state;
    for (int i = 0; i < 50; i++) {
        loop = new_loop();
        sender = (struct sender){.poster = NULL};
        sender.deliveries[0].sender = &sender;
        assert_int_equal(aiol_poster_new(loop, &sender.poster), 0);
        assert_int_equal(pthread_create(&sender.thread, NULL, post_until_closed, &sender), 0);
        aiol_loop_run_once(loop, AIOL_NEVER);
        free_loop(loop);
        pthread_join(sender.thread, NULL);
    }
}

static struct aiol_poster *signal_poster;
static struct letter signal_letter;

static void post_from_handler(int number)
{
    (void)number;
    aiol_poster_post_node(signal_poster, &signal_letter.post);
}

static void wake_from_handler(int number)
{
    (void)number;
    errno = EDOM;
    aiol_poster_wake(signal_poster);
    signal_letter.status = errno;
}

static void raise_signal(struct aiol_hook *hook, void *data)
{
    (void)hook;
    (void)data;
    raise(SIGUSR1);
}

static void test_a_signal_handler_that_interrupts_before_the_wait_wakes_the_loop(void **state)
{
    struct aiol_loop *loop = new_loop();
    struct notes notes = {.length = 0};
    struct aiol_hook hook;

    (void)state;
    signal_letter = (struct letter){.notes = &notes, .name = 'p'};
    aiol_post_init(&signal_letter.post, read_letter, &signal_letter);
    assert_int_equal(aiol_poster_new(loop, &signal_poster), 0);
    aiol_hook_init(&hook, loop, AIOL_HOOK_BEFORE_WAIT, raise_signal, NULL);
    aiol_hook_start(&hook);
    signal(SIGUSR1, post_from_handler);
    aiol_loop_run_once(loop, AIOL_NEVER); /* or it would sleep for ever */
    assert_string_equal(notes.text, "p");

    signal(SIGUSR1, wake_from_handler);
    aiol_loop_run_once(loop, AIOL_NEVER);
    assert_int_equal(signal_letter.status, EDOM); /* errno is kept */
    signal(SIGUSR1, SIG_DFL);
    aiol_hook_stop(&hook);
    aiol_poster_release(signal_poster);
    assert_int_equal(aiol_loop_run(loop), 0);
    free_loop(loop);
}

static void *signal_main_thread(void *data)
{
    pthread_kill(*(pthread_t *)data, SIGUSR1);
    return NULL;
}

static void test_a_signal_handler_that_interrupts_the_wait_posts(void **state)
{
    struct aiol_loop *loop = new_loop();
    struct notes notes = {.length = 0};
    pthread_t self = pthread_self(), thread;

    (void)state;
    signal_letter = (struct letter){.notes = &notes, .name = 'p'};
    aiol_post_init(&signal_letter.post, read_letter, &signal_letter);
    assert_int_equal(aiol_poster_new(loop, &signal_poster), 0);
    signal(SIGUSR1, post_from_handler);
    assert_int_equal(pthread_create(&thread, NULL, signal_main_thread, &self), 0);
    while (notes.length == 0)
        assert_int_equal(aiol_loop_run_once(loop, AIOL_NEVER), 1);
    pthread_join(thread, NULL);
    signal(SIGUSR1, SIG_DFL);
    assert_string_equal(notes.text, "p");
    aiol_poster_release(signal_poster);
    assert_int_equal(aiol_loop_run(loop), 0);
    free_loop(loop);
}

static void test_p5_a_post_with_its_own_node_allocates_nothing(void **state)
{
    struct aiol_loop *loop = new_sim_loop(1);
    struct notes notes = {.length = 0};
    struct letter letter = {.notes = &notes, .name = 'p'};
    struct aiol_poster *poster;
    long made;

    (void)state;
    assert_int_equal(aiol_poster_new(loop, &poster), 0);
    aiol_post_init(&letter.post, read_letter, &letter);
    made = allocations_made();
    for (int i = 0; i < 100; i++) {
        aiol_poster_post_node(poster, &letter.post);
        aiol_poster_wake(poster);
        aiol_loop_run_once(loop, AIOL_NEVER);
    }
    assert_int_equal(notes.length, 100);
    aiol_poster_release(poster);
    assert_int_equal(aiol_loop_run(loop), 0);
    assert_int_equal(allocations_made(), made);
    free_loop(loop);
}

static void ignore_io(struct aiol_io *io, uint32_t ready, void *data)
{
    (void)io, (void)ready, (void)data;
}

static void ignore_hook(struct aiol_hook *hook, void *data)
{
    (void)hook, (void)data;
}

struct late_starts {
    struct aiol_loop *loop;
    int fd;
    int io_rc, hook_rc;
};

static void start_while_freed(int status, void *data)
{
    struct late_starts *late = data;
    struct aiol_hook hook;
    struct aiol_io io;

    (void)status;
    aiol_io_init(&io, late->loop, late->fd, ignore_io, NULL);
    late->io_rc = aiol_io_start(&io, AIOL_READABLE);
    aiol_hook_init(&hook, late->loop, AIOL_HOOK_BEFORE_WAIT, ignore_hook, NULL);
    late->hook_rc = aiol_hook_start(&hook);
}

static void test_nothing_can_be_watched_while_the_loop_is_freed(void **state)
{
    struct aiol_loop *loop = new_loop();
    struct late_starts late = {.loop = loop};
    struct aiol_poster *poster;
    int fds[2];

    (void)state;
    make_socket_pair(fds);
    late.fd = fds[0];
    assert_int_equal(aiol_poster_new(loop, &poster), 0);
    assert_int_equal(aiol_poster_post(poster, start_while_freed, &late), 0);
    free_loop(loop);
    assert_int_equal(late.io_rc, AIOL_ECLOSED);
    assert_int_equal(late.hook_rc, AIOL_ECLOSED);
    aiol_poster_release(poster);
    close(fds[0]);
    close(fds[1]);
}

static struct aiol_poster *post_owner;

static void count_and_free(int status, void *data)
{
    struct aiol_post **post = data;

    assert_int_equal(status, 0);
    aiol_post_free(post_owner, *post);
    *post = NULL;
}

static void test_p9_a_post_can_be_allocated(void **state)
{
    struct aiol_loop *loop = new_sim_loop(1);
    struct aiol_post *post = NULL, *unused = NULL;

    (void)state;
    assert_int_equal(aiol_poster_new(loop, &post_owner), 0);
    fail_allocation(1);
    assert_int_equal(aiol_post_new(post_owner, count_and_free, &post, &post), -ENOMEM);
    assert_null(post);
    assert_int_equal(aiol_post_new(post_owner, count_and_free, &post, &post), 0);
    assert_int_equal(aiol_post_new(post_owner, count_and_free, &post, &unused), 0);
    assert_int_equal(aiol_poster_post_node(post_owner, post), 0);
    aiol_loop_run_once(loop, 0);
    assert_null(post);
    aiol_post_free(post_owner, unused);
    aiol_post_free(post_owner, NULL);
    aiol_poster_release(post_owner);
    aiol_loop_run_once(loop, 0);
    free_loop(loop);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(test_p9_a_post_can_be_allocated),
        TEST(test_nothing_can_be_watched_while_the_loop_is_freed),
        TEST(test_p6_posts_are_delivered_in_the_order_in_which_they_were_made),
        TEST(test_a_post_made_in_a_post_waits_for_a_next_turn_that_does_not_block),
        TEST(test_p1_a_post_may_end_its_nodes_life_in_its_callback),
        TEST(test_p7_posts_left_over_when_the_loop_is_freed_are_told_so),
        TEST(test_a_poster_keeps_the_loop_alive_until_it_is_unrefd_or_released),
        TEST(test_p2_every_post_of_many_threads_is_delivered_once_and_in_order),
        TEST(test_p2_a_simulated_loop_is_woken_by_posts_of_other_threads_too),
        TEST(test_p7_a_loop_may_be_freed_while_other_threads_post),
        TEST(test_a_signal_handler_that_interrupts_before_the_wait_wakes_the_loop),
        TEST(test_a_signal_handler_that_interrupts_the_wait_posts),
        TEST(test_p5_a_post_with_its_own_node_allocates_nothing),
    };

    return cmocka_run_group_tests_name("reactor/poster", tests, NULL, NULL);
}
