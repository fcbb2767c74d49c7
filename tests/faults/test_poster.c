/* Posting while memory and the system fail: from the loop's own thread, where each step is always
 * the same, and from another one. */
#include "faults.h"

#include <errno.h>
#include <pthread.h>

/* What has been accepted cannot be withdrawn, and may be delivered after a scenario has failed. */
static struct aiol_post own_post;
static int delivered_count;
static int closed_count;

static void count_post(int status, void *data)
{
    (void)data;
    delivered_count += status == 0;
    closed_count += status == AIOL_ECLOSED;
}

static void begin_counting(void)
{
    delivered_count = closed_count = 0;
    aiol_post_init(&own_post, count_post, NULL);
}

/* `expected_count` posts, into a loop that sleeps. */
static int post_all(struct aiol_poster *poster, int *expected_count)
{
    int rc = aiol_poster_post_node(poster, &own_post);

    for (int i = 0; i < 3 && rc == 0; i++) {
        ++*expected_count;
        rc = aiol_poster_post(poster, count_post, NULL);
    }
    if (rc == 0) {
        ++*expected_count;
        rc = aiol_poster_wake(poster);
    }
    return rc == 0 ? aiol_poster_wake(poster) : rc;
}

static int post_to_a_sleeping_loop(struct aiol_loop *loop)
{
    struct aiol_poster *poster = NULL;
    int expected_count = 0;
    int rc, run_rc;

    begin_counting();
    rc = aiol_poster_new(loop, &poster);
    if (rc < 0)
        return rc;
    aiol_poster_retain(poster);
    aiol_poster_unref(poster);
    aiol_poster_ref(poster);
    rc = aiol_loop_prepare(loop);
    if (rc == 0)
        rc = post_all(poster, &expected_count);
    aiol_poster_release(poster);
    aiol_poster_release(poster);
    run_rc = run_loop(loop);
    rc = aiol_first_error(rc, run_rc);
    return rc == 0 ? expect(delivered_count == expected_count, "each post comes once") : rc;
}

/* A post that frees itself, and gives up the poster, when it is delivered. */
static struct {
    struct aiol_poster *poster;
    struct aiol_post *post;
} errand;

static void end_errand(int status, void *data)
{
    count_post(status, data);
    aiol_post_free(errand.poster, errand.post);
    aiol_poster_release(errand.poster);
}

static int send_on_an_errand(struct aiol_loop *loop)
{
    int rc;

    begin_counting();
    rc = aiol_poster_new(loop, &errand.poster);
    if (rc < 0)
        return rc;
    rc = aiol_post_new(errand.poster, end_errand, NULL, &errand.post);
    if (rc == 0)
        rc = aiol_poster_post_node(errand.poster, errand.post);
    if (rc < 0)
        aiol_poster_release(errand.poster);
    rc = aiol_first_error(rc, run_loop(loop));
    return rc == 0 ? expect(delivered_count == 1, "the post comes once") : rc;
}

static void *post_from_thread(void *arg)
{
    static int rc; /* for whoever joins the thread */
    struct aiol_poster *poster = arg;

    rc = 0;
    for (int i = 0; i < 10 && rc == 0; i++)
        rc = aiol_poster_post(poster, count_post, NULL);
    aiol_poster_release(poster);
    return &rc;
}

static int post_across_threads(struct aiol_loop *loop)
{
    struct aiol_poster *poster = NULL;
    pthread_t thread;
    void *posted;
    int rc;

    begin_counting();
    rc = aiol_poster_new(loop, &poster);
    if (rc < 0)
        return rc;
    rc = -pthread_create(&thread, NULL, post_from_thread, poster);
    if (rc < 0) {
        aiol_poster_release(poster);
        return rc;
    }
    rc = run_loop(loop); /* until the thread gives up the poster */
    pthread_join(thread, &posted);
    if (rc < 0)
        aiol_loop_run(loop);
    rc = aiol_first_error(rc, *(int *)posted);
    return rc == 0 ? expect(delivered_count == 10, "each post of the thread comes once") : rc;
}

/* Posts that the loop is freed before, and a poster that outlives the loop. */
static int outlive_the_loop(const struct aiol_loop_options *options)
{
    struct aiol_poster *poster = NULL;
    struct aiol_loop *loop = NULL;
    int rc = aiol_loop_new(options, &loop);
    bool is_post_pending = false;

    begin_counting();
    if (rc == 0)
        rc = aiol_poster_new(loop, &poster);
    if (rc == 0)
        rc = aiol_poster_post(poster, count_post, NULL);
    if (rc == 0) {
        rc = aiol_poster_post_node(poster, &own_post);
        is_post_pending = rc == 0;
    }
    rc = aiol_first_error(rc, aiol_loop_free(loop));
    if (rc == 0)
        rc =
            expect(is_post_pending && closed_count == 2, "each post is told that the loop is gone");
    if (poster && (aiol_poster_post(poster, count_post, NULL) >= 0 ||
                   aiol_poster_post_node(poster, &own_post) != AIOL_ECLOSED ||
                   aiol_poster_wake(poster) != AIOL_ECLOSED))
        rc = expect(false, "nothing can be posted to a loop that is gone");
    aiol_poster_release(poster);
    return rc;
}

static void test_posting_to_a_sleeping_loop(void **state)
{
    (void)state;
    inject_faults("posting to a sleeping loop", post_to_a_sleeping_loop, ON_BOTH);
}

static void test_a_post_that_frees_itself(void **state)
{
    (void)state;
    inject_faults("a post that frees itself", send_on_an_errand, ON_BOTH);
}

static void test_posting_across_threads(void **state)
{
    (void)state;
    inject_faults("posting across threads", post_across_threads, ON_BOTH);
}

static void test_a_poster_that_outlives_its_loop(void **state)
{
    (void)state;
    inject_faults_alone("a poster that outlives its loop", outlive_the_loop, ON_BOTH);
}

static void test_sizes_cannot_fail(void **state)
{
    (void)state;
    assert_int_equal(aiol_post_size(), sizeof(struct aiol_post));
    assert_int_equal(aiol_post_align(), _Alignof(struct aiol_post));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(test_posting_to_a_sleeping_loop), TEST(test_a_post_that_frees_itself),
        TEST(test_posting_across_threads),     TEST(test_a_poster_that_outlives_its_loop),
        TEST(test_sizes_cannot_fail),
    };

    return cmocka_run_group_tests_name("faults/poster", tests, NULL, print_points);
}
