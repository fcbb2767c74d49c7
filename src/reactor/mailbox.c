/* The mailbox; mailbox.h explains its protocol. */
#include "reactor/mailbox.h"
#include "base/allocator.h"

#include <aiol/error.h>

#include <errno.h>
#include <pthread.h>
#include <stdint.h>

/* Marks, which are no posts: nothing has so low an address. */
#define WOKEN ((struct aiol_post *)1)
#define SLEEPING ((struct aiol_post *)2)
#define CLOSED ((struct aiol_post *)3)

/* Not a mark, and not NULL. */
static bool is_post(const struct aiol_post *head)
{
    return (uintptr_t)head > (uintptr_t)CLOSED;
}

int aiol__mailbox_new(const struct aiol_allocator *allocator, struct aiol__mailbox **ret_mailbox)
{
    struct aiol__mailbox *mailbox = aiol__allocate_zeroed(allocator, sizeof *mailbox);
    int rc;

    if (!mailbox)
        return -ENOMEM;
    rc = aiol__wakeup_open(&mailbox->wakeup);
    if (rc < 0) {
        aiol__release(allocator, mailbox);
        return rc;
    }
    atomic_init(&mailbox->head, NULL);
    atomic_init(&mailbox->reference_count, 1);
    atomic_init(&mailbox->fork_count, 0);
    mailbox->allocator = *allocator;
    *ret_mailbox = mailbox;
    return 0;
}

void aiol__mailbox_retain(struct aiol__mailbox *mailbox)
{
    atomic_fetch_add_explicit(&mailbox->reference_count, 1, memory_order_relaxed);
}

void aiol__mailbox_release(struct aiol__mailbox *mailbox)
{
    struct aiol_allocator allocator = mailbox->allocator;
    int cancel_state;

    if (atomic_fetch_sub_explicit(&mailbox->reference_count, 1, memory_order_acq_rel) > 1)
        return;
    pthread_setcancelstate(PTHREAD_CANCEL_DISABLE, &cancel_state);
    aiol__wakeup_close(&mailbox->wakeup);
    pthread_setcancelstate(cancel_state, NULL);
    aiol__release(&allocator, mailbox);
}

/* write(2) is a cancellation point (pthreads(7)), and a thread that ended there would take the
 * wake-up with it: it has replaced SLEEPING, so that nobody after it would wake the loop. Not
 * inline, since most posts find the loop awake and should not pay for this one's stack. */
static __attribute__((noinline)) void wake_sleeper(struct aiol__mailbox *mailbox)
{
    int cancel_state;

    pthread_setcancelstate(PTHREAD_CANCEL_DISABLE, &cancel_state);
    aiol__wakeup_signal(&mailbox->wakeup);
    pthread_setcancelstate(cancel_state, NULL);
}

int aiol__mailbox_push(struct aiol__mailbox *mailbox, struct aiol_post *post)
{
    struct aiol_post *head = atomic_load_explicit(&mailbox->head, memory_order_acquire);

    do {
        if (head == CLOSED)
            return AIOL_ECLOSED;
        post->next = head; /* where that is a mark, the list ends */
    } while (!atomic_compare_exchange_weak_explicit(&mailbox->head, &head, post,
                                                    memory_order_release, memory_order_acquire));
    if (head == SLEEPING)
        wake_sleeper(mailbox);
    return 0;
}

int aiol__mailbox_wake(struct aiol__mailbox *mailbox)
{
    struct aiol_post *head = atomic_load_explicit(&mailbox->head, memory_order_acquire);

    do {
        if (head == CLOSED)
            return AIOL_ECLOSED;
        /* A post stays, but is stored again: the loop sees what was written before. */
    } while (!atomic_compare_exchange_weak_explicit(&mailbox->head, &head,
                                                    is_post(head) ? head : WOKEN,
                                                    memory_order_release, memory_order_acquire));
    if (head == SLEEPING)
        wake_sleeper(mailbox);
    return 0;
}

bool aiol__mailbox_is_closed(const struct aiol__mailbox *mailbox)
{
    return atomic_load_explicit(&mailbox->head, memory_order_relaxed) == CLOSED;
}

bool aiol__mailbox_is_empty(const struct aiol__mailbox *mailbox)
{
    struct aiol_post *head = atomic_load_explicit(&mailbox->head, memory_order_relaxed);

    return head == NULL || head == SLEEPING || head == CLOSED;
}

bool aiol__mailbox_prepare_sleep(struct aiol__mailbox *mailbox)
{
    struct aiol_post *expected = NULL;

    return atomic_compare_exchange_strong(&mailbox->head, &expected, SLEEPING) ||
           expected == SLEEPING;
}

/* The list was built from the front: turn it round, so that the first post comes first. */
static struct aiol_post *reverse(struct aiol_post *post)
{
    struct aiol_post *reversed = NULL;

    while (is_post(post)) {
        struct aiol_post *next = post->next;

        post->next = reversed;
        reversed = post;
        post = next;
    }
    return reversed;
}

static void deliver_all(struct aiol_post *head, int status)
{
    struct aiol_post *post = reverse(head);

    while (post) {
        /* From its callback on a post is its owner's again. */
        struct aiol_post *next = post->next;
        aiol_post_fn callback = post->callback;
        void *data = post->data;

        if (post->allocated_by)
            aiol__release(post->allocated_by, post);
        callback(status, data);
        post = next;
    }
}

void aiol__mailbox_deliver(struct aiol__mailbox *mailbox)
{
    if (atomic_load_explicit(&mailbox->head, memory_order_relaxed) == NULL)
        return;
    deliver_all(atomic_exchange_explicit(&mailbox->head, NULL, memory_order_acquire), 0);
}

void aiol__mailbox_close(struct aiol__mailbox *mailbox)
{
    deliver_all(atomic_exchange_explicit(&mailbox->head, CLOSED, memory_order_acq_rel),
                AIOL_ECLOSED);
}
