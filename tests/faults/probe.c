/* Whether a loop is usable after what a scenario has put it through. */
#include "faults.h"

#include <poll.h>

struct probe {
    int timer_count;
    int deferred_count;
    int post_count;
    int byte_count;
    int task_count;
};

static void count_timer(struct aiol_timer *timer, void *data)
{
    struct probe *probe = data;

    (void)timer;
    probe->timer_count++;
}

static void count_deferred(struct aiol_deferred *deferred, void *data)
{
    struct probe *probe = data;

    (void)deferred;
    probe->deferred_count++;
}

static void count_post(int status, void *data)
{
    struct probe *probe = data;

    probe->post_count += status == 0;
}

static void count_byte(struct aiol_io *io, uint32_t ready, void *data)
{
    struct probe *probe = data;
    char byte;

    (void)ready;
    probe->byte_count += aiol_fd_recv(aiol_loop_current(), aiol_io_fd(io), &byte, 1) == 1;
    aiol_io_stop(io);
}

static int count_task(void *arg)
{
    struct probe *probe = arg;

    probe->task_count += aiol_await_sleep(AIOL_MILLISECOND) == 0;
    return 0;
}

/* Whether a post reaches who polls the sleeping loop's descriptor; a simulated one has none. */
static bool is_woken(struct aiol_loop *loop, struct aiol_poster *poster, struct probe *probe)
{
    struct pollfd poller = {.fd = aiol_loop_backend_fd(loop), .events = POLLIN};

    /* The turn is for a wake-up that the scenario may have left over: the loop would not sleep. */
    return aiol_loop_run_once(loop, 0) >= 0 && aiol_loop_prepare(loop) == 0 &&
           aiol_poster_post(poster, count_post, probe) == 0 &&
           (poller.fd < 0 || poll(&poller, 1, 0) == 1);
}

int probe_loop(struct aiol_loop *loop)
{
    struct probe probe = {0};
    struct aiol_deferred deferred;
    struct aiol_poster *poster = NULL;
    struct aiol_timer timer;
    struct aiol_io io;
    int fds[2];
    int rc;

    if (open_pair(loop, fds) < 0)
        return expect(false, "the loop is unusable: no descriptors");
    aiol_timer_init(&timer, loop, count_timer, &probe);
    aiol_deferred_init(&deferred, loop, count_deferred, &probe);
    aiol_io_init(&io, loop, fds[0], count_byte, &probe);
    rc = expect(aiol_loop_is_alive(loop) == 0, "something keeps the loop alive") |
         expect(aiol_poster_new(loop, &poster) == 0 && is_woken(loop, poster, &probe),
                "the loop is unusable: no post wakes it") |
         expect(aiol_timer_start(&timer, AIOL_MILLISECOND) == 0 &&
                    aiol_deferred_start(&deferred) == 0 && aiol_io_start(&io, AIOL_READABLE) == 0 &&
                    aiol_fd_send(loop, fds[1], "x", 1) == 1 &&
                    aiol_task_spawn(loop, count_task, &probe, NULL) == 0,
                "the loop is unusable: nothing starts");
    aiol_poster_release(poster);
    rc |= expect(aiol_loop_run(loop) == 0, "the loop is unusable: its run fails") |
          expect(probe.timer_count == 1, "the loop is unusable: timer") |
          expect(probe.deferred_count == 1, "the loop is unusable: deferred call") |
          expect(probe.post_count == 1, "the loop is unusable: post") |
          expect(probe.byte_count == 1, "the loop is unusable: descriptor") |
          expect(probe.task_count == 1, "the loop is unusable: task");
    aiol_timer_stop(&timer);
    aiol_deferred_stop(&deferred);
    aiol_io_close(&io);
    close_pair(loop, fds);
    return rc;
}
