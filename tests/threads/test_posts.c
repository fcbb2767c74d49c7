/*
 * Many posts from real threads and from signal handlers in them, for the sanitizers and for what
 * only numbers find: none is lost, each thread's come in order.
 */
#include "support.h"
#include "thread_tools.h"

#include <pthread.h>
#include <signal.h>
#include <stdatomic.h>

#define RING_SIZE 1000

/*
 * Senders post in rounds of any length, from a ring of nodes and by allocation. After a round a
 * sender waits until all was delivered and the loop is about to sleep: that is when it goes on, so
 * that its next post meets a loop that falls asleep. So its ring may also be used again.
 */
struct sender;

struct letter {
    struct aiol_post post;
    struct sender *sender;
    long number;
    bool ends_round;
};

struct sender {
    pthread_t thread;
    struct aiol_poster *poster;
    sem_t may_go_on;
    unsigned seed;
    bool has_failed;
    long round_count;
    /* the loop's thread: */
    long received_count;
    bool is_out_of_order;
    bool is_waiting;
    struct letter letters[RING_SIZE];
};

static struct sender senders[THREAD_COUNT];
static long sleep_count;

static void receive(int status, void *data)
{
    struct letter *letter = data;
    struct sender *sender = letter->sender;

    if (status != 0 || letter->number != sender->received_count)
        sender->is_out_of_order = true;
    sender->received_count++;
    if (letter->ends_round)
        sender->is_waiting = true;
}

static void let_senders_go_on(struct aiol_hook *hook, void *data)
{
    (void)hook;
    (void)data;
    sleep_count++;
    for (int i = 0; i < THREAD_COUNT; i++) {
        if (senders[i].is_waiting) {
            senders[i].is_waiting = false;
            sem_post(&senders[i].may_go_on);
        }
    }
}

/* Returns the number of the post after the round. */
static long send_round(struct sender *sender, long number, long count)
{
    for (long i = 0; i < count; i++) {
        struct letter *letter = &sender->letters[i];
        int rc;

        letter->sender = sender;
        letter->number = number + i;
        letter->ends_round = i == count - 1;
        if (next_random(&sender->seed) % 2) {
            aiol_post_init(&letter->post, receive, letter);
            rc = aiol_poster_post_node(sender->poster, &letter->post);
        } else {
            rc = aiol_poster_post(sender->poster, receive, letter);
        }
        if (rc != 0)
            sender->has_failed = true;
    }
    wait_for(&sender->may_go_on);
    sender->round_count++;
    return number + count;
}

static void *send_all(void *data)
{
    struct sender *sender = data;
    long number = 0;

    while (number < POSTS_PER_THREAD) {
        long count = 1 + (long)(next_random(&sender->seed) % RING_SIZE);
        long left = POSTS_PER_THREAD - number;

        number = send_round(sender, number, count < left ? count : left);
    }
    aiol_poster_release(sender->poster);
    return NULL;
}

static void start_senders(struct aiol_poster *poster, int count, void *(*body)(void *))
{
    for (int i = 0; i < count; i++) {
        senders[i] = (struct sender){.poster = poster, .seed = (unsigned)i + 1};
        sem_init(&senders[i].may_go_on, 0, 0);
        aiol_poster_retain(poster);
        assert_int_equal(pthread_create(&senders[i].thread, NULL, body, &senders[i]), 0);
    }
}

static void join_senders(int count)
{
    for (int i = 0; i < count; i++) {
        pthread_join(senders[i].thread, NULL);
        sem_destroy(&senders[i].may_go_on);
        assert_false(senders[i].has_failed);
        assert_false(senders[i].is_out_of_order);
    }
}

static void test_p2_no_post_of_four_threads_is_lost(void **state)
{
    struct aiol_loop *loop = new_loop();
    struct aiol_poster *poster;
    struct aiol_hook hook;

    (void)state;
    sleep_count = 0;
    aiol_hook_init(&hook, loop, AIOL_HOOK_BEFORE_WAIT, let_senders_go_on, NULL);
    aiol_hook_start(&hook);
    assert_int_equal(aiol_poster_new(loop, &poster), 0);
    start_senders(poster, THREAD_COUNT, send_all);
    aiol_poster_release(poster);
    assert_int_equal(aiol_loop_run(loop), 0); /* ends with the last reference */
    join_senders(THREAD_COUNT);
    for (int i = 0; i < THREAD_COUNT; i++) {
        assert_int_equal(senders[i].received_count, POSTS_PER_THREAD);
        assert_true(sleep_count >= senders[i].round_count);
    }
    aiol_hook_stop(&hook);
    free_loop(loop);
}

/*
 * Signal handlers that post and wake, in threads that are posting, and in the loop's. One more
 * thread sends the signals, each when the one before was handled.
 */
#define SIGNALLED_SENDERS 2
#define TARGET_COUNT (SIGNALLED_SENDERS + 1)
#define SIGNAL_COUNT (300 * SCALE)

struct signal_letter {
    struct aiol_post post;
    atomic_bool is_under_way;
};

struct target {
    pthread_t thread;
    unsigned next_letter;
    long accepted_count;
    bool has_failed;
    struct signal_letter letters[8];
};

static struct target targets[TARGET_COUNT];
static _Thread_local struct target *own_target;
static struct aiol_poster *signal_poster;
static sem_t signal_handled, targets_are_there;
static atomic_bool all_signals_sent;
static long signal_posts_received; /* in the loop's thread */

static void receive_from_handler(int status, void *data)
{
    struct signal_letter *letter = data;

    signal_posts_received += status == 0;
    atomic_store(&letter->is_under_way, false);
}

static void handle_signal(int number)
{
    struct target *target = own_target;
    struct signal_letter *letter = &target->letters[target->next_letter++ % 8];

    (void)number;
    if (!atomic_exchange(&letter->is_under_way, true)) {
        aiol_post_init(&letter->post, receive_from_handler, letter);
        if (aiol_poster_post_node(signal_poster, &letter->post) == 0)
            target->accepted_count++;
        else
            target->has_failed = true;
    }
    if (aiol_poster_wake(signal_poster) != 0)
        target->has_failed = true;
    sem_post(&signal_handled);
}

static void become_target(struct target *target)
{
    target->thread = pthread_self();
    own_target = target;
    sem_post(&targets_are_there);
}

static void *send_until_all_signals_sent(void *data)
{
    struct sender *sender = data;
    long number = 0;

    become_target(&targets[sender - senders]);
    do
        number = send_round(sender, number, 1 + (long)(next_random(&sender->seed) % RING_SIZE));
    while (!atomic_load(&all_signals_sent));
    aiol_poster_release(sender->poster);
    return NULL;
}

static void *send_signals(void *data)
{
    struct aiol_poster *poster = data;

    for (int i = 0; i < TARGET_COUNT; i++)
        wait_for(&targets_are_there);
    for (int i = 0; i < SIGNAL_COUNT; i++) {
        pthread_kill(targets[i % TARGET_COUNT].thread, SIGUSR1);
        wait_for(&signal_handled);
    }
    atomic_store(&all_signals_sent, true);
    aiol_poster_release(poster);
    return NULL;
}

static void test_p7_signal_handlers_post_in_threads_that_are_posting(void **state)
{
    struct aiol_loop *loop = new_loop();
    struct aiol_hook hook;
    pthread_t signaller;
    long accepted_count = 0;

    (void)state;
    sem_init(&signal_handled, 0, 0);
    sem_init(&targets_are_there, 0, 0);
    aiol_hook_init(&hook, loop, AIOL_HOOK_BEFORE_WAIT, let_senders_go_on, NULL);
    aiol_hook_start(&hook);
    assert_int_equal(aiol_poster_new(loop, &signal_poster), 0);
    signal(SIGUSR1, handle_signal);
    become_target(&targets[SIGNALLED_SENDERS]);
    start_senders(signal_poster, SIGNALLED_SENDERS, send_until_all_signals_sent);
    assert_int_equal(pthread_create(&signaller, NULL, send_signals, signal_poster), 0);
    assert_int_equal(aiol_loop_run(loop), 0);
    pthread_join(signaller, NULL);
    join_senders(SIGNALLED_SENDERS);
    signal(SIGUSR1, SIG_DFL);
    for (int i = 0; i < TARGET_COUNT; i++) {
        assert_false(targets[i].has_failed);
        assert_true(targets[i].accepted_count > 0);
        accepted_count += targets[i].accepted_count;
    }
    assert_int_equal(signal_posts_received, accepted_count);
    aiol_hook_stop(&hook);
    free_loop(loop);
    sem_destroy(&signal_handled);
    sem_destroy(&targets_are_there);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(test_p2_no_post_of_four_threads_is_lost),
        TEST(test_p7_signal_handlers_post_in_threads_that_are_posting),
    };

    return cmocka_run_group_tests_name("threads/posts", tests, NULL, NULL);
}
