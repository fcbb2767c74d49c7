/* Turns of Asio: posted handlers. Each loop has a timer, which never runs: until something makes it
 * use epoll, a loop waits on a condition variable, and could watch nothing meanwhile. */
#include <asio.hpp>
#include <thread>

#include "turns.h" /* after C++'s headers: clang 14's <stdatomic.h> is in their way */

namespace
{

/* ready: no other thread */
asio::io_context alone(ASIO_CONCURRENCY_HINT_UNSAFE);
asio::steady_timer alone_timer(alone);
long call_count;

struct call_again {
    void operator()() const
    {
        if (++call_count == READY_CALLS)
            alone.stop();
        asio::post(alone, *this);
    }
};

void begin_ready(long size, long)
{
    for (long i = 0; i < size; i++)
        asio::post(alone, call_again());
}

long run_ready()
{
    call_count = 0;
    alone.restart();
    alone.run();
    return call_count;
}

/* post and pingpong: one thread runs a loop, others post */
struct side {
    asio::io_context loop{1};
    asio::steady_timer timer{loop};
    asio::executor_work_guard<asio::io_context::executor_type> work{loop.get_executor()};
    long received_count = 0;
};

side sides[2];

void play(side *played)
{
    played->loop.run();
}

void begin_side(side *begun)
{
    begun->received_count = 0;
    begun->loop.restart();
}

void post_all()
{
    for (long i = 0; i < POSTS; i++) {
        asio::post(sides[0].loop, [] {
            if (++sides[0].received_count == POSTS)
                sides[0].loop.stop();
        });
    }
}

long run_post()
{
    begin_side(&sides[0]);
    std::thread thread(post_all);
    play(&sides[0]);
    thread.join();
    return POSTS;
}

void send_ball(side *receiver);

void hit(side *receiver)
{
    receiver->received_count++;
    if (receiver->received_count < ROUND_TRIPS || receiver == &sides[1])
        send_ball(receiver == &sides[0] ? &sides[1] : &sides[0]);
    if (receiver->received_count == ROUND_TRIPS)
        receiver->loop.stop();
}

void send_ball(side *receiver)
{
    asio::post(receiver->loop, [receiver] { hit(receiver); });
}

long run_pingpong()
{
    begin_side(&sides[0]);
    begin_side(&sides[1]);
    std::thread thread(play, &sides[1]);
    send_ball(&sides[1]);
    play(&sides[0]);
    thread.join();
    return ROUND_TRIPS;
}

} // namespace

const bench_workload bench_workloads[] = {
    {"ready", begin_ready, run_ready},
    {"post", nullptr, run_post},
    {"pingpong", nullptr, run_pingpong},
    {nullptr, nullptr, nullptr},
};
