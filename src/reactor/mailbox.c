/* The mailbox; mailbox.h explains its protocol. */
#include "reactor/mailbox.h"
#include "base/allocator.h"

#include <aiol/error.h>

#include <errno.h>
#include <pthread.h>

/* Marks, never delivered: only their addresses matter. */
static struct aiol_post sleeping;
static struct aiol_post woken;
static struct aiol_post closed;

/* The first post of a list, or NULL for a mark, which stands for an empty one. */
static struct aiol_post *first_post(struct aiol_post *head)
{
    return head == &sleeping || head == &woken || head == &closed ? NULL : head;
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
 * wake-up with it: it has replaced &sleeping, so that nobody after it would wake the loop. */
static void wake_sleeper(struct aiol__mailbox *mailbox)
{
    int cancel_state;

    pthread_setcancelstate(PTHREAD_CANCEL_DISABLE, &cancel_state);
    aiol__wakeup_signal(&mailbox->wakeup);
    pthread_setcancelstate(cancel_state, NULL);
}

/* Replace the head by `post`; without one, see that it is not empty. */
static int replace_head(struct aiol__mailbox *mailbox, struct aiol_post *post)
{
    struct aiol_post *head = atomic_load_explicit(&mailbox->head, memory_order_acquire);
    struct aiol_post *new_head;

    do {
        if (head == &closed)
            return AIOL_ECLOSED;
        new_head = first_post(head);
        if (post) {
            post->next = new_head;
            new_head = post;
        } else if (!new_head) {
            new_head = &woken;
        }
        /* Also when it stays the same, so that the loop sees what was written before this. */
    } while (!atomic_compare_exchange_weak_explicit(&mailbox->head, &head, new_head,
                                                    memory_order_release, memory_order_acquire));
    if (head == &sleeping)
        wake_sleeper(mailbox);
    return 0;
}

int aiol__mailbox_push(struct aiol__mailbox *mailbox, struct aiol_post *post)
{
    return replace_head(mailbox, post);
}

int aiol__mailbox_wake(struct aiol__mailbox *mailbox)
{
    return replace_head(mailbox, NULL);
}

bool aiol__mailbox_is_closed(const struct aiol__mailbox *mailbox)
{
    return atomic_load_explicit(&mailbox->head, memory_order_relaxed) == &closed;
}

bool aiol__mailbox_is_empty(const struct aiol__mailbox *mailbox)
{
    struct aiol_post *head = atomic_load_explicit(&mailbox->head, memory_order_relaxed);

    return head == NULL || head == &sleeping || head == &closed;
}

bool aiol__mailbox_prepare_sleep(struct aiol__mailbox *mailbox)
{
    struct aiol_post *expected = NULL;

    return atomic_compare_exchange_strong(&mailbox->head, &expected, &sleeping) ||
           expected == &sleeping;
}

/* The list was built from the front: turn it round, so that the first post comes first. */
static struct aiol_post *reverse(struct aiol_post *post)
{
    struct aiol_post *reversed = NULL;

    while (post) {
        struct aiol_post *next = post->next;

        post->next = reversed;
        reversed = post;
        post = next;
    }
    return reversed;
}

static void deliver_all(struct aiol_post *head, int status)
{
    struct aiol_post *post = reverse(first_post(head));

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
    deliver_all(atomic_exchange_explicit(&mailbox->head, &closed, memory_order_acq_rel),
                AIOL_ECLOSED);
}
