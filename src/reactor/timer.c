/* Timers: the public face of the wheel, and what repeating means. */
#include "base/arithmetic.h"
#include "reactor/loop.h"

#include <aiol/error.h>
#include <aiol/timer.h>

#include <errno.h>

void aiol_timer_init(struct aiol_timer *timer, struct aiol_loop *loop, aiol_timer_fn callback,
                     void *data)
{
    *timer = (struct aiol_timer){.loop = loop, .callback = callback, .data = data};
    aiol__list_init(&timer->node);
}

/* `repeat` of a timer that does not. What firing it once touches then lies in the first 64 bytes,
 * where the period does not. */
#define ONE_SHOT UINT8_MAX

static int start(struct aiol_timer *timer, uint64_t deadline_ns, uint8_t repeat)
{
    struct aiol_loop *loop = timer->loop;

    aiol__loop_check_thread(loop);
    if (loop->is_closing)
        return AIOL_ECLOSED;
    if (!timer->is_armed)
        loop->timer_ref_count += !timer->unref;
    timer->repeat = repeat;
    aiol__wheel_arm(&loop->wheel, timer, deadline_ns);
    return 0;
}

/* From now on. While the loop does not run its clock stands still, for however long. */
static uint64_t deadline_after_ns(struct aiol_loop *loop, uint64_t after_ns)
{
    if (!loop->is_running)
        aiol_loop_update_now(loop);
    return aiol__saturating_add(loop->now_ns, after_ns);
}

int aiol_timer_start(struct aiol_timer *timer, uint64_t after_ns)
{
    return start(timer, deadline_after_ns(timer->loop, after_ns), ONE_SHOT);
}

int aiol_timer_start_at(struct aiol_timer *timer, uint64_t deadline_ns)
{
    return start(timer, deadline_ns, ONE_SHOT);
}

int aiol_timer_start_every(struct aiol_timer *timer, uint64_t period_ns, uint32_t repeat)
{
    int rc;

    if (period_ns == 0 || period_ns == AIOL_NEVER || repeat > AIOL_FIXED_DELAY)
        return -EINVAL;
    rc = start(timer, deadline_after_ns(timer->loop, period_ns), (uint8_t)repeat);
    if (rc == 0)
        timer->period_ns = period_ns;
    return rc;
}

void aiol_timer_stop(struct aiol_timer *timer)
{
    aiol__loop_check_thread(timer->loop);
    if (!timer->is_armed)
        return;
    aiol__wheel_disarm(&timer->loop->wheel, timer);
    timer->loop->timer_ref_count -= !timer->unref;
}

/* When a repeating timer that fires now fires next. */
static uint64_t next_deadline_ns(const struct aiol_timer *timer, uint64_t now_ns)
{
    uint64_t missed_count;

    if (timer->repeat == AIOL_FIXED_DELAY)
        return aiol__saturating_add(now_ns, timer->period_ns);
    missed_count = (now_ns - timer->deadline_ns) / timer->period_ns;
    return aiol__saturating_add(timer->deadline_ns + missed_count * timer->period_ns,
                                timer->period_ns);
}

void aiol__timers_run(struct aiol_loop *loop)
{
    uint64_t now_ns = loop->now_ns;
    struct aiol_timer *timer;

    aiol__wheel_begin_phase(&loop->wheel, now_ns);
    while ((timer = aiol__wheel_take_due(&loop->wheel)) != NULL) {
        /* Armed again before the call, since the callback may free it. */
        if (timer->repeat != ONE_SHOT)
            aiol__wheel_arm(&loop->wheel, timer, next_deadline_ns(timer, now_ns));
        else
            loop->timer_ref_count -= !timer->unref;
        timer->callback(timer, timer->data);
    }
}

int aiol_timer_is_active(const struct aiol_timer *timer)
{
    return timer->is_armed;
}

uint64_t aiol_timer_deadline_ns(const struct aiol_timer *timer)
{
    return aiol_timer_is_active(timer) ? timer->deadline_ns : AIOL_NEVER;
}

uint64_t aiol_timer_remaining_ns(const struct aiol_timer *timer)
{
    uint64_t deadline_ns = aiol_timer_deadline_ns(timer);

    if (deadline_ns == AIOL_NEVER)
        return AIOL_NEVER;
    return aiol__saturating_sub(deadline_ns, timer->loop->now_ns);
}

void aiol_timer_unref(struct aiol_timer *timer)
{
    if (aiol_timer_is_active(timer) && !timer->unref)
        timer->loop->timer_ref_count--;
    timer->unref = true;
}

void aiol_timer_ref(struct aiol_timer *timer)
{
    if (aiol_timer_is_active(timer) && timer->unref)
        timer->loop->timer_ref_count++;
    timer->unref = false;
}

int aiol_timer_new(struct aiol_loop *loop, aiol_timer_fn callback, void *data,
                   struct aiol_timer **ret_timer)
{
    struct aiol_timer *timer = aiol__loop_allocate(loop, sizeof *timer);

    if (!timer)
        return -ENOMEM;
    aiol_timer_init(timer, loop, callback, data);
    *ret_timer = timer;
    return 0;
}

void aiol_timer_free(struct aiol_timer *timer)
{
    if (!timer)
        return;
    aiol_timer_stop(timer);
    aiol__loop_release(timer->loop, timer);
}

size_t aiol_timer_size(void)
{
    return sizeof(struct aiol_timer);
}

size_t aiol_timer_align(void)
{
    return _Alignof(struct aiol_timer);
}
