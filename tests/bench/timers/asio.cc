/* Timers of Asio. What is cancelled, also by a new deadline, has its callback called, in the next
 * turn: that is part of what stopping costs. */
#include "timers.h"

#include <asio.hpp>
#include <new>

namespace
{

using steady_clock = std::chrono::steady_clock;
using duration = std::chrono::nanoseconds;
/* Without the type erasure that executors have by default. */
using timer = asio::basic_waitable_timer<steady_clock, asio::wait_traits<steady_clock>,
                                         asio::io_context::executor_type>;

asio::io_context loop(ASIO_CONCURRENCY_HINT_UNSAFE);

struct object {
    timer timeout{loop};
    char bytes[OBJECT_BYTES - sizeof(timer)];
};

object *objects, **shuffled;
uint64_t *delays_ns;
long count, fired_count, aborted_count;

void start(object *object, steady_clock::time_point deadline)
{
    object->timeout.expires_at(deadline);
    object->timeout.async_wait([](const asio::error_code &error) {
        if (error)
            aborted_count++;
        else
            fired_count++;
    });
}

void turn()
{
    loop.restart();
    loop.poll();
}

void begin(long size, uint64_t below_ns)
{
    count = size;
    objects = static_cast<object *>(bench_allocate((size_t)count * sizeof *objects));
    for (long i = 0; i < count; i++)
        new (&objects[i]) object;
    delays_ns = bench_delays(count, below_ns);
    shuffled = reinterpret_cast<object **>(bench_shuffled(objects, (size_t)count, sizeof *objects));
}

void begin_startstop(long size, long)
{
    begin(size, HOUR_NS);
}

long start_and_stop()
{
    steady_clock::time_point base = steady_clock::now();

    aborted_count = 0;
    for (long i = 0; i < count; i++)
        start(&objects[i], base + duration(delays_ns[i]));
    for (long i = 0; i < count; i++)
        objects[i].timeout.cancel();
    turn();
    bench_check(aborted_count == count, "timers");
    return count;
}

void begin_rearm(long size, long)
{
    steady_clock::time_point base = steady_clock::now();

    begin(size, HOUR_NS);
    for (long i = 0; i < count; i++)
        start(&objects[i], base + std::chrono::seconds(30));
}

long rearm()
{
    steady_clock::time_point deadline = steady_clock::now() + std::chrono::seconds(30);

    aborted_count = 0;
    for (int again = 0; again < REARMS; again++) {
        for (long i = 0; i < count; i++)
            start(&objects[i], deadline);
    }
    turn();
    bench_check(aborted_count == REARMS * count, "timers");
    return REARMS * count;
}

long fire_all()
{
    fired_count = 0;
    turn();
    bench_check(fired_count == count, "timers");
    return count;
}

long fire_equal()
{
    steady_clock::time_point deadline;

    bench_pause();
    deadline = steady_clock::now() + std::chrono::milliseconds(1);
    for (long i = 0; i < count; i++)
        start(&objects[i], deadline);
    bench_wait_until_due();
    bench_resume();
    return fire_all();
}

void begin_random(long size, long)
{
    begin(size, SPREAD_NS);
}

long fire_random()
{
    steady_clock::time_point base;

    bench_pause();
    base = steady_clock::now();
    for (long i = 0; i < count; i++)
        start(shuffled[i], base + duration(delays_ns[i]));
    bench_wait_until_due();
    bench_resume();
    return fire_all();
}

} // namespace

const bench_workload bench_workloads[] = {
    {"timer_startstop", begin_startstop, start_and_stop},
    {"timer_rearm", begin_rearm, rearm},
    {"timer_fire", begin_startstop, fire_equal},
    {"timer_random", begin_random, fire_random},
    {nullptr, nullptr, nullptr},
};
