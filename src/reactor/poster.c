/*
 * Posters. The last release may come from any thread at any time, but what the loop counts and
 * allocates is its own: so the poster posts itself home, and the loop buries it. Only when the loop
 * has gone does the releasing thread do that.
 */
#include "base/allocator.h"
#include "reactor/loop.h"

#include <aiol/error.h>

#include <errno.h>

struct aiol_poster {
    atomic_uint reference_count;
    struct aiol__mailbox *mailbox;
    struct aiol_loop *loop; /* only for the loop's thread, while the mailbox is open */
    bool unref;
    struct aiol_post farewell;
};

static void free_poster(struct aiol_poster *poster)
{
    struct aiol__mailbox *mailbox = poster->mailbox;

    aiol__release(&mailbox->allocator, poster);
    aiol__mailbox_release(mailbox);
}

static void bury_poster(int status, void *data)
{
    struct aiol_poster *poster = data;

    (void)status;
    poster->loop->poster_count--;
    if (!poster->unref)
        poster->loop->poster_ref_count--;
    free_poster(poster);
}

int aiol_poster_new(struct aiol_loop *loop, struct aiol_poster **ret_poster)
{
    struct aiol_poster *poster;

    aiol__loop_check_thread(loop);
    if (loop->is_closing)
        return AIOL_ECLOSED;
    poster = aiol__allocate(&loop->allocator, sizeof *poster);
    if (!poster)
        return -ENOMEM;
    atomic_init(&poster->reference_count, 1);
    poster->mailbox = loop->mailbox;
    poster->loop = loop;
    poster->unref = false;
    aiol_post_init(&poster->farewell, bury_poster, poster);
    aiol__mailbox_retain(loop->mailbox);
    loop->poster_count++;
    loop->poster_ref_count++;
    *ret_poster = poster;
    return 0;
}

void aiol_poster_retain(struct aiol_poster *poster)
{
    atomic_fetch_add_explicit(&poster->reference_count, 1, memory_order_relaxed);
}

void aiol_poster_release(struct aiol_poster *poster)
{
    struct aiol__mailbox *mailbox;

    if (!poster || atomic_fetch_sub_explicit(&poster->reference_count, 1, memory_order_acq_rel) > 1)
        return;
    /* Once the farewell is pushed the poster is the loop's, which may free its own reference to the
     * mailbox before the push has woken it. */
    mailbox = poster->mailbox;
    aiol__mailbox_retain(mailbox);
    if (aiol__mailbox_push(mailbox, &poster->farewell) < 0)
        free_poster(poster);
    aiol__mailbox_release(mailbox);
}

int aiol_poster_post(struct aiol_poster *poster, aiol_post_fn callback, void *data)
{
    struct aiol_post *post;
    int rc = aiol_post_new(poster, callback, data, &post);

    if (rc < 0)
        return rc;
    post->allocated_by = &poster->mailbox->allocator;
    rc = aiol__mailbox_push(poster->mailbox, post);
    if (rc < 0)
        aiol_post_free(poster, post);
    return rc;
}

int aiol_poster_post_node(struct aiol_poster *poster, struct aiol_post *post)
{
    return aiol__mailbox_push(poster->mailbox, post);
}

void aiol_post_init(struct aiol_post *post, aiol_post_fn callback, void *data)
{
    *post = (struct aiol_post){.callback = callback, .data = data};
}

int aiol_post_new(struct aiol_poster *poster, aiol_post_fn callback, void *data,
                  struct aiol_post **ret_post)
{
    struct aiol_post *post = aiol__allocate(&poster->mailbox->allocator, sizeof *post);

    if (!post)
        return -ENOMEM;
    aiol_post_init(post, callback, data);
    *ret_post = post;
    return 0;
}

void aiol_post_free(struct aiol_poster *poster, struct aiol_post *post)
{
    aiol__release(&poster->mailbox->allocator, post);
}

int aiol_poster_wake(struct aiol_poster *poster)
{
    return aiol__mailbox_wake(poster->mailbox);
}

void aiol_poster_unref(struct aiol_poster *poster)
{
    if (poster->unref || aiol__mailbox_is_closed(poster->mailbox))
        return;
    poster->unref = true;
    poster->loop->poster_ref_count--;
}

void aiol_poster_ref(struct aiol_poster *poster)
{
    if (!poster->unref || aiol__mailbox_is_closed(poster->mailbox))
        return;
    poster->unref = false;
    poster->loop->poster_ref_count++;
}

size_t aiol_post_size(void)
{
    return sizeof(struct aiol_post);
}

size_t aiol_post_align(void)
{
    return _Alignof(struct aiol_post);
}
