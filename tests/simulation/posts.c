/* Posts, of the loop's own thread, and the posters that they go through. */
#include "subjects.h"

#define POSTER_COUNT 2
#define LETTER_COUNT 24

struct poster {
    struct aiol_poster *poster; /* NULL: none */
    unsigned reference_count;
    bool is_unref;
};

struct letter {
    struct aiol_post own;
    bool is_posted;
    uint64_t turn; /* in which it is to be delivered */
};

static struct poster posters[POSTER_COUNT];
static struct letter letters[LETTER_COUNT];
static struct letter *posted[LETTER_COUNT]; /* in the order in which they were */
static unsigned posted_count;
static uint64_t wake_turn;        /* which may not wait */
static uint64_t leaving_count[2]; /* posters that are freed in this turn or the next, by its last
                                     bit */
static bool is_freeing;

static void make_poster(struct poster *poster)
{
    *poster = (struct poster){.reference_count = 1};
    expect("new poster", 0, aiol_poster_new(world.loop, &poster->poster), 0);
}

/* It goes home by a post, and keeps the loop alive until that is delivered. */
static void release(struct poster *poster)
{
    struct aiol_poster *gone = poster->poster;

    if (--poster->reference_count == 0) {
        leaving_count[next_turn(POSTS) % 2] += !poster->is_unref;
        poster->poster = NULL;
    }
    aiol_poster_release(gone);
}

static void refuse_to_start(void)
{
    struct aiol_deferred deferred;
    struct aiol_queue *queue;
    struct aiol_timer timer;

    aiol_deferred_init(&deferred, world.loop, NULL, NULL);
    aiol_timer_init(&timer, world.loop, NULL, NULL);
    expect("deferred start in a free", 0, aiol_deferred_start(&deferred), AIOL_ECLOSED);
    expect("timer start in a free", 0, aiol_timer_start(&timer, 0), AIOL_ECLOSED);
    expect("new queue in a free", 0, aiol_queue_new(world.loop, 1, NULL, &queue), AIOL_ECLOSED);
    expect("spawn in a free", 0, aiol_task_spawn(world.loop, NULL, NULL, NULL), AIOL_ECLOSED);
    expect("free in a free", 0, aiol_loop_free(world.loop), -EBUSY);
}

static void on_post(int status, void *data)
{
    struct letter *letter = data;
    int number = (int)(letter - letters);

    trace("post", number, "is delivered", status);
    if (posted_count == 0 || posted[0] != letter)
        fault("post %d is delivered out of order", number);
    for (unsigned i = 1; i < posted_count; i++)
        posted[i - 1] = posted[i];
    posted_count -= posted_count > 0;
    letter->is_posted = false;
    expect("status of a post", number, status, is_freeing ? AIOL_ECLOSED : 0);
    if (is_freeing) {
        refuse_to_start();
        return;
    }
    enter(POSTS);
    if (letter->turn != world.turn)
        fault("post %d is delivered in the wrong turn", number);
    react();
}

static void post(struct poster *poster)
{
    struct letter *letter = &letters[below(LETTER_COUNT)];
    int rc;

    if (letter->is_posted)
        return;
    letter->is_posted = true;
    letter->turn = next_turn(POSTS);
    posted[posted_count++] = letter;
    trace("post", (int)(letter - letters), "is posted", 0);
    if (chance(2)) {
        rc = aiol_poster_post(poster->poster, on_post, letter);
    } else {
        aiol_post_init(&letter->own, on_post, letter);
        rc = aiol_poster_post_node(poster->poster, &letter->own);
    }
    expect("post", (int)(letter - letters), rc, 0);
}

static void begin(void)
{
    for (int i = 0; i < POSTER_COUNT; i++)
        posters[i] = (struct poster){0};
    for (int i = 0; i < LETTER_COUNT; i++)
        letters[i] = (struct letter){0};
    posted_count = 0;
    wake_turn = 0;
    leaving_count[0] = leaving_count[1] = 0;
    is_freeing = false;
}

static void act_on_posts(void)
{
    struct poster *poster = &posters[below(POSTER_COUNT)];
    int number = (int)(poster - posters);

    if (!poster->poster) {
        trace("poster", number, "is made", 0);
        make_poster(poster);
        return;
    }
    switch (below(12)) {
    case 0:
        trace("poster", number, "is retained", poster->reference_count);
        poster->reference_count++;
        aiol_poster_retain(poster->poster);
        break;
    case 1:
        trace("poster", number, "is released", poster->reference_count);
        release(poster);
        break;
    case 2:
        poster->is_unref = chance(2);
        if (poster->is_unref)
            aiol_poster_unref(poster->poster);
        else
            aiol_poster_ref(poster->poster);
        break;
    case 3:
    case 4:
        trace("poster", number, "wakes", 0);
        wake_turn = next_turn(POSTS);
        expect("wake", number, aiol_poster_wake(poster->poster), 0);
        break;
    default:
        post(poster);
    }
}

bool is_post_due(void)
{
    return posted_count > 0 || wake_turn == next_turn(POSTS);
}

uint64_t posters_alive(void)
{
    uint64_t count = leaving_count[0] + leaving_count[1];

    for (int i = 0; i < POSTER_COUNT; i++)
        count += posters[i].poster && !posters[i].is_unref;
    return count;
}

static void check(void)
{
    leaving_count[world.turn % 2] = 0;
    for (unsigned i = 0; i < posted_count; i++) {
        if (posted[i]->turn <= world.turn)
            fault("post %d is not delivered", (int)(posted[i] - letters));
    }
}

static void stop(void)
{
    for (int i = 0; i < POSTER_COUNT; i++) {
        while (posters[i].poster)
            release(&posters[i]);
    }
}

void posts_before_free(void)
{
    if (!posters[0].poster)
        make_poster(&posters[0]);
    for (unsigned count = below(4); count > 0; count--)
        post(&posters[0]);
    if (chance(4))
        aiol_poster_wake(posters[0].poster);
    while (posters[1].poster && chance(2))
        release(&posters[1]);
    is_freeing = true;
}

void posts_after_free(void)
{
    struct aiol_post post;

    if (posted_count > 0)
        fault("%u posts are forgotten by a free", posted_count);
    aiol_post_init(&post, on_post, NULL);
    expect("post after free", 0, aiol_poster_post(posters[0].poster, on_post, NULL), AIOL_ECLOSED);
    expect("post after free", 1, aiol_poster_post_node(posters[0].poster, &post), AIOL_ECLOSED);
    expect("wake after free", 0, aiol_poster_wake(posters[0].poster), AIOL_ECLOSED);
    for (int i = 0; i < POSTER_COUNT; i++) {
        for (; posters[i].reference_count > 0; posters[i].reference_count--)
            aiol_poster_release(posters[i].poster);
    }
}

const struct subject post_subject = {
    .begin = begin, .act = act_on_posts, .check = check, .stop = stop};
