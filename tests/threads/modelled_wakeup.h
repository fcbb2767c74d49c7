/*
 * What wakes a loop and what polls, for explored runs: these functions stand in for those of
 * src/platform/wakeup_*.c and for the system's poller, which knows only of the wakeup descriptor.
 * For one file of a program.
 */
#ifndef MODELLED_WAKEUP_H
#define MODELLED_WAKEUP_H

#include "checked_memory.h"
#include "explorer.h"
#include "platform/poller.h"
#include "platform/wakeup.h"

static struct {
    bool is_open;
    bool is_readable;
    unsigned signal_count;
    unsigned sleep_count; /* waits that might have slept */
} system_model;

int aiol__wakeup_open(struct aiol__wakeup *wakeup)
{
    *wakeup = (struct aiol__wakeup){1, 1};
    system_model.is_open = true;
    return 0;
}

void aiol__wakeup_close(struct aiol__wakeup *wakeup)
{
    check_memory_is_alive(wakeup);
    if (!system_model.is_open)
        fail_run("the wakeup descriptor is closed twice");
    system_model.is_open = false;
    step("closes the wakeup");
}

void aiol__wakeup_signal(const struct aiol__wakeup *wakeup)
{
    check_memory_is_alive(wakeup);
    if (!system_model.is_open)
        fail_run("a closed wakeup descriptor is written to");
    system_model.is_readable = true;
    system_model.signal_count++;
    step("signals");
}

void aiol__wakeup_clear(const struct aiol__wakeup *wakeup)
{
    check_memory_is_alive(wakeup);
    if (!system_model.is_open)
        fail_run("a closed wakeup descriptor is read");
    system_model.is_readable = false;
    step("clears the wakeup");
}

static bool is_wakeup_readable(void)
{
    return system_model.is_readable;
}

static int wait_for_wakeup(struct aiol__poller *poller, uint64_t timeout_ns)
{
    if (timeout_ns > 0) {
        system_model.sleep_count++;
        sleep_until(is_wakeup_readable, SLEEP_MAY_END_EARLY);
    }
    poller->events[0] = (struct aiol__event){.fd = 1, .generation = 0, .ready = AIOL_READABLE};
    step(system_model.is_readable ? "polls: readable" : "polls: nothing");
    return system_model.is_readable;
}

static uint64_t model_now_ns(struct aiol__poller *poller)
{
    (void)poller;
    return 0;
}

static void close_model(struct aiol__poller *poller)
{
    (void)poller;
}

int aiol__poller_open_system(const struct aiol_allocator *allocator, int max_events, int wakeup_fd,
                             struct aiol__poller **ret_poller)
{
    static const struct aiol__poller_ops ops = {
        .wait = wait_for_wakeup, .close = close_model, .now_ns = model_now_ns};
    static struct aiol__event event;
    static struct aiol__poller poller;

    poller = (struct aiol__poller){.ops = &ops,
                                   .allocator = allocator,
                                   .events = &event,
                                   .max_events = max_events,
                                   .wakeup_fd = wakeup_fd};
    *ret_poller = &poller;
    return 0;
}

#endif
