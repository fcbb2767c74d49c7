/*
 * Watchers against an oracle: after random starts, stops, closes, reads, writes, and descriptors
 * that are closed and made anew, a turn must call exactly those watchers whose descriptor poll(2)
 * calls ready for what they want.
 */
#include "support.h"

#include <errno.h>
#include <poll.h>
#include <unistd.h>

#define SLOT_COUNT 5
#define WATCHERS_PER_SLOT 3
#define STEP_COUNT 300
#define SEED_COUNT 30

struct watched {
    struct aiol_io io;
    uint32_t wanted; /* 0: stopped */
    uint32_t ready;  /* in this turn */
    int count;
};

/* A socket that is watched, and its peer, which is not. */
struct slot {
    int fds[2];
    bool peer_is_open;
    struct watched watchers[WATCHERS_PER_SLOT];
};

struct model {
    struct aiol_loop *loop;
    uint64_t random_state;
    struct slot slots[SLOT_COUNT];
    const char *fault;
};

static unsigned random_below(struct model *model, unsigned limit)
{
    uint64_t x = model->random_state;

    x ^= x << 13;
    x ^= x >> 7;
    x ^= x << 17;
    model->random_state = x;
    return (unsigned)(x >> 33) % limit;
}

static void note_ready(struct aiol_io *io, uint32_t ready, void *data)
{
    struct watched *watched = data;

    (void)io;
    watched->ready = ready;
    watched->count++;
}

static void open_slot(struct model *model, struct slot *slot)
{
    make_socket_pair(slot->fds);
    slot->peer_is_open = true;
    for (int i = 0; i < WATCHERS_PER_SLOT; i++) {
        slot->watchers[i] = (struct watched){.wanted = 0};
        aiol_io_init(&slot->watchers[i].io, model->loop, slot->fds[0], note_ready,
                     &slot->watchers[i]);
    }
}

static void close_peer(struct slot *slot)
{
    if (slot->peer_is_open)
        close(slot->fds[1]);
    slot->peer_is_open = false;
}

static void close_slot(struct slot *slot)
{
    for (int i = 0; i < WATCHERS_PER_SLOT; i++)
        aiol_io_close(&slot->watchers[i].io);
    close(slot->fds[0]);
    close_peer(slot);
}

/* Fill the socket, so that it is not writable, or drain it. */
static void transfer(struct model *model, struct slot *slot)
{
    static char buffer[65536];
    int from = (int)random_below(model, 2);
    ssize_t rc = 1;

    if (!slot->peer_is_open)
        return;
    switch (random_below(model, 3)) {
    case 0:
        rc = write(slot->fds[from], buffer, 1);
        break;
    case 1:
        while (write(slot->fds[0], buffer, sizeof buffer) > 0)
            ;
        break;
    default:
        while (read(slot->fds[from], buffer, sizeof buffer) > 0)
            ;
    }
    if (rc < 0 && errno != EAGAIN)
        model->fault = "could not write";
}

static void change_something(struct model *model)
{
    struct slot *slot = &model->slots[random_below(model, SLOT_COUNT)];
    struct watched *watched = &slot->watchers[random_below(model, WATCHERS_PER_SLOT)];

    switch (random_below(model, 16)) {
    case 0:
    case 1:
    case 2:
    case 3:
        watched->wanted = 1 + random_below(model, 3);
        if (aiol_io_start(&watched->io, watched->wanted) < 0)
            model->fault = "could not start";
        break;
    case 4:
    case 5:
        watched->wanted = 0;
        aiol_io_stop(&watched->io);
        break;
    case 6:
        watched->wanted = 0;
        aiol_io_close(&watched->io);
        break;
    case 7: /* the number is handed out again at once */
        close_slot(slot);
        open_slot(model, slot);
        break;
    case 8:
        if (random_below(model, 4) == 0)
            close_peer(slot);
        break;
    default:
        transfer(model, slot);
    }
}

static uint32_t ready_by_poll(int fd, uint32_t wanted)
{
    struct pollfd pollfd = {.fd = fd, .events = POLLIN | POLLOUT};
    uint32_t ready = 0;

    poll(&pollfd, 1, 0);
    if (pollfd.revents & (POLLIN | POLLHUP | POLLERR))
        ready |= AIOL_READABLE;
    if (pollfd.revents & (POLLOUT | POLLHUP | POLLERR))
        ready |= AIOL_WRITABLE;
    return ready & wanted;
}

static void turn_and_check(struct model *model)
{
    for (int i = 0; i < SLOT_COUNT * WATCHERS_PER_SLOT; i++) {
        struct watched *watched =
            &model->slots[i / WATCHERS_PER_SLOT].watchers[i % WATCHERS_PER_SLOT];

        watched->count = 0;
        watched->ready = 0;
    }
    aiol_loop_run_once(model->loop, 0);
    for (int i = 0; i < SLOT_COUNT * WATCHERS_PER_SLOT; i++) {
        struct slot *slot = &model->slots[i / WATCHERS_PER_SLOT];
        struct watched *watched = &slot->watchers[i % WATCHERS_PER_SLOT];
        uint32_t ready = ready_by_poll(slot->fds[0], watched->wanted);

        if (watched->count > 1)
            model->fault = "called a watcher twice in a turn";
        else if (!ready && watched->count)
            model->fault = "called a watcher without need";
        else if ((watched->ready & (AIOL_READABLE | AIOL_WRITABLE)) != ready)
            model->fault = "did not report what is ready";
    }
}

static void run_model(uint64_t seed)
{
    static struct model model;

    model = (struct model){.loop = new_loop(), .random_state = seed * 0x9e3779b97f4a7c15 + 1};
    for (int i = 0; i < SLOT_COUNT; i++)
        open_slot(&model, &model.slots[i]);
    for (int i = 0; i < STEP_COUNT && !model.fault; i++) {
        int change_count = (int)random_below(&model, 5);

        for (int change = 0; change < change_count; change++)
            change_something(&model);
        turn_and_check(&model);
    }
    if (model.fault)
        fail_msg("seed %llu: the loop %s", (unsigned long long)seed, model.fault);
    for (int i = 0; i < SLOT_COUNT; i++)
        close_slot(&model.slots[i]);
    free_loop(model.loop);
}

static void test_a_turn_calls_exactly_those_that_poll_calls_ready(void **state)
{
    (void)state;
    for (uint64_t seed = 1; seed <= SEED_COUNT; seed++)
        run_model(seed);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(test_a_turn_calls_exactly_those_that_poll_calls_ready),
    };

    return cmocka_run_group_tests_name("reactor/io_model", tests, NULL, NULL);
}
