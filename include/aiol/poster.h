/*
 * How other threads, and signal handlers, reach a loop. A poster is a counted handle that may
 * outlive the loop: posting to a loop that is gone is an error, never a crash. Each post is
 * delivered, in the order in which the posts of one thread were made. None of these calls is a
 * cancellation point (pthreads(7)).
 */
#ifndef AIOL_POSTER_H
#define AIOL_POSTER_H

#include <aiol/loop.h>

AIOL_BEGIN_DECLARATIONS

struct aiol_poster;

/* Called in the loop's thread; `status` is 0, or AIOL_ECLOSED when the loop is freed before it got
 * there: free what `data` holds, but start nothing. */
typedef void (*aiol_post_fn)(int status, void *data);

/* A post whose memory is the caller's, for posting without an allocation. */
struct aiol_post {
    /* private */
    struct aiol_post *next;
    aiol_post_fn callback;
    void *data;
    const struct aiol_allocator *allocated_by;
    void *reserved;
};

/*
 * Make a poster, with a count of one. It keeps the loop alive until its last reference is released,
 * or it is unref'd, since some other thread may still post.
 *
 * Thread: the loop's. Returns 0, -ENOMEM, or AIOL_ECLOSED (the loop is being freed).
 */
AIOL_API int aiol_poster_new(struct aiol_loop *loop, struct aiol_poster **ret_poster);

/*
 * Take one more reference: one for each thread that holds the poster.
 *
 * Thread: any that holds a reference. Cannot fail.
 */
AIOL_API void aiol_poster_retain(struct aiol_poster *poster);

/*
 * Give one reference back; the last one frees the poster. What was posted is still delivered. NULL
 * is allowed. (A child of fork() that comes about while another thread is in here keeps the
 * poster.)
 *
 * Thread: any that holds a reference. Cannot fail.
 */
AIOL_API void aiol_poster_release(struct aiol_poster *poster);

/*
 * Have the loop call `callback(0, data)` in its next post phase; wakes it when it sleeps. Allocates
 * from the loop's allocator, in this thread.
 *
 * Thread: any that holds a reference; not from a signal handler. Returns 0, -ENOMEM, or
 * AIOL_ECLOSED (the loop is gone: the callback will not come, `data` is still the caller's).
 */
AIOL_API int aiol_poster_post(struct aiol_poster *poster, aiol_post_fn callback, void *data);

/*
 * The same without an allocation: `post` stays the caller's, but must stay where it is until its
 * callback is entered. It cannot be withdrawn, and must not be posted again before that.
 *
 * Thread: any that holds a reference; also in a signal handler. Returns 0, or AIOL_ECLOSED (as
 * above: the callback will not come).
 */
AIOL_API int aiol_poster_post_node(struct aiol_poster *poster, struct aiol_post *post);

/*
 * Prepare a post of the caller's own for aiol_poster_post_node().
 *
 * Thread: any. Cannot fail.
 */
AIOL_API void aiol_post_init(struct aiol_post *post, aiol_post_fn callback, void *data);

/*
 * Allocate a post and prepare it, for callers that cannot embed the struct; from the allocator of
 * the poster's loop. Belongs to the caller, who frees it with aiol_post_free().
 *
 * Thread: any that holds a reference. Returns 0, or -ENOMEM.
 */
AIOL_API int aiol_post_new(struct aiol_poster *poster, aiol_post_fn callback, void *data,
                           struct aiol_post **ret_post);

/*
 * Free a post that aiol_post_new() made, and that is not posted: also in its own callback. NULL is
 * allowed.
 *
 * Thread: any that holds a reference to a poster of the same loop. Cannot fail.
 */
AIOL_API void aiol_post_free(struct aiol_poster *poster, struct aiol_post *post);

/*
 * As if a post were made that does nothing: a wait under way returns, and the loop has a post phase
 * after this call before it waits again. Several calls may count as one.
 *
 * Thread: any that holds a reference; also in a signal handler (no lock, no allocation, errno is
 * kept: signal-safety(7)). Returns 0, or AIOL_ECLOSED (the loop is gone).
 */
AIOL_API int aiol_poster_wake(struct aiol_poster *poster);

/*
 * Let the poster no longer keep the loop alive; aiol_poster_ref() takes that back. Doing either
 * twice is doing it once.
 *
 * Thread: the loop's. Cannot fail.
 */
AIOL_API void aiol_poster_unref(struct aiol_poster *poster);

/*
 * Let the poster keep the loop alive again: the opposite of aiol_poster_unref().
 *
 * Thread: the loop's. Cannot fail.
 */
AIOL_API void aiol_poster_ref(struct aiol_poster *poster);

/*
 * sizeof(struct aiol_post), for callers that embed it without a C compiler.
 *
 * Thread: any. Cannot fail.
 */
AIOL_API size_t aiol_post_size(void);

/*
 * The alignment of struct aiol_post.
 *
 * Thread: any. Cannot fail.
 */
AIOL_API size_t aiol_post_align(void);

AIOL_END_DECLARATIONS

#endif
