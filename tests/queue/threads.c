/* What the tests of the queue from other threads share; see threads.h. */
#include "threads.h"

#include "platform/sys.h"

#include <sched.h>

char letters[] = "abcdefghijklmnopqrstuvwxyz";

void begin_scene_on(struct scene *scene, struct aiol_loop *loop, size_t capacity,
                    aiol_queue_destroy_fn destroy)
{
    scene->loop = loop;
    assert_int_equal(aiol_queue_new(scene->loop, capacity, destroy, &scene->queue), 0);
    assert_int_equal(aiol_queue_remote_new(scene->queue, &scene->remote), 0);
}

void begin_scene(struct scene *scene, size_t capacity)
{
    begin_scene_on(scene, new_loop(), capacity, NULL);
}

void end_scene(struct scene *scene)
{
    aiol_queue_remote_release(scene->remote);
    assert_int_equal(aiol_loop_run(scene->loop), 0);
    aiol_queue_free(scene->queue);
    free_loop(scene->loop);
}

_Thread_local struct call *call_of_this_thread;

int call(struct call *own)
{
    switch (own->kind) {
    case PUT:
        return aiol_blocking_queue_put(own->remote, own->item, own->deadline_ns);
    case GET:
        return aiol_blocking_queue_get(own->remote, own->deadline_ns, &own->item);
    case DONE:
        return aiol_blocking_queue_done(own->remote, own->deadline_ns);
    default:
        return aiol_blocking_queue_join(own->remote, own->deadline_ns);
    }
}

static void *call_in_thread(void *data)
{
    struct call *own = data;

    call_of_this_thread = own;
    own->result = call(own);
    atomic_store(&own->is_over, true);
    return NULL;
}

void begin_call_until(struct call *own, struct scene *scene, enum kind kind, char *item,
                      uint64_t deadline_ns, void (*on_look)(void))
{
    *own = (struct call){.remote = scene->remote,
                         .kind = kind,
                         .item = item,
                         .deadline_ns = deadline_ns,
                         .on_look = on_look};
    assert_int_equal(pthread_create(&own->thread, NULL, call_in_thread, own), 0);
}

void begin_call(struct call *own, struct scene *scene, enum kind kind, char *item)
{
    begin_call_until(own, scene, kind, item, AIOL_NEVER, NULL);
}

int end_call(struct call *own)
{
    pthread_join(own->thread, NULL);
    return own->result;
}

int serve_until_over(struct call *own, struct scene *scene)
{
    while (!atomic_load(&own->is_over))
        assert_int_equal(aiol_loop_run_once(scene->loop, 0), 1);
    return end_call(own);
}

int serve_call(struct call *own, struct scene *scene, enum kind kind, char *item)
{
    begin_call(own, scene, kind, item);
    return serve_until_over(own, scene);
}

size_t count_waiting(const struct aiol__list *waiters)
{
    size_t count = 0;

    for (const struct aiol__list *node = waiters->next; node != waiters; node = node->next)
        count++;
    return count;
}

void await_waiting(struct scene *scene, const struct aiol__list *waiters, size_t count)
{
    while (count_waiting(waiters) < count)
        assert_int_equal(aiol_loop_run_once(scene->loop, AIOL_NEVER), 1);
    assert_int_equal(count_waiting(waiters), count);
}

void await_post(struct scene *scene)
{
    while (aiol_loop_next_timeout_ns(scene->loop) != 0)
        sched_yield();
}

_Atomic uint64_t clock_ns;

static int tell_time(clockid_t clock, struct timespec *time)
{
    uint64_t now_ns;

    (void)clock;
    if (call_of_this_thread && call_of_this_thread->on_look)
        call_of_this_thread->on_look();
    now_ns = atomic_load(&clock_ns);
    time->tv_sec = (time_t)(now_ns / AIOL_SECOND);
    time->tv_nsec = (long)(now_ns % AIOL_SECOND);
    return 0;
}

void begin_clock(uint64_t now_ns)
{
    atomic_store(&clock_ns, now_ns);
    aiol__sys.clock_gettime = tell_time;
}
