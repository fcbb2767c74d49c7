/* Watched descriptors of Asio. Where something comes it is read, by asynchronous operations, as
 * Asio means it: to wait, and to read then, takes a call of epoll_ctl() for each wait. */
#include "io.h"

#include <asio.hpp>
#include <vector>

namespace
{

/* Without the type erasure that executors have by default. */
using executor = asio::io_context::executor_type;
using protocol = asio::local::stream_protocol;
using stream_socket = asio::basic_stream_socket<protocol, executor>;
using descriptor = asio::posix::basic_stream_descriptor<executor>;

struct end {
    stream_socket socket;
    char bytes[8];

    explicit end(int fd);
};

asio::io_context loop(ASIO_CONCURRENCY_HINT_UNSAFE);
bench_pairs pairs;
std::vector<end> ends;
int *idle;
long idle_count, aborted_count;
std::vector<descriptor> watchers;

end::end(int fd) : socket(loop, protocol(), fd)
{
}

void pass_on(end *from);

void read_next(end *from)
{
    from->socket.async_read_some(asio::buffer(from->bytes),
                                 [from](const asio::error_code &error, size_t count) {
                                     bench_check(!error && count == 1, "read");
                                     pass_on(from);
                                 });
}

/* As bench_pairs_pass_on() does, but the byte has been read. */
void pass_on(end *from)
{
    long index = from - ends.data();
    long next = index + 2 < pairs.count ? index + 2 : index & 1;

    bench_check(send(pairs.fds[next ^ 1], from->bytes, 1, 0) == 1, "send");
    if (++pairs.event_count == DISPATCHED_EVENTS)
        loop.stop();
    read_next(from);
}

void begin_dispatch(long size, long active)
{
    bench_pairs_open(&pairs, size, active);
    ends.reserve((size_t)size);
    for (long i = 0; i < size; i++)
        read_next(&ends.emplace_back(pairs.fds[i]));
    bench_pairs_start(&pairs);
}

long dispatch()
{
    pairs.event_count = 0;
    loop.restart();
    loop.run();
    return pairs.event_count;
}

void turn()
{
    loop.restart();
    loop.poll();
}

void never(const asio::error_code &error)
{
    bench_check(error == asio::error::operation_aborted, "wait");
    aborted_count++;
}

void start_all()
{
    watchers.reserve((size_t)idle_count);
    for (long i = 0; i < idle_count; i++)
        watchers.emplace_back(loop, idle[i]).async_wait(descriptor::wait_read, never);
    turn();
}

void begin_idle(long size, long)
{
    idle_count = size;
    idle = bench_open_idle(size);
}

long register_all()
{
    bench_renew_idle(idle, idle_count);
    aborted_count = 0;
    start_all();
    for (descriptor &watcher : watchers)
        watcher.release();
    watchers.clear();
    turn();
    bench_check(aborted_count == idle_count, "waits");
    return idle_count;
}

long hold_idle()
{
    uint64_t before = bench_resident_bytes();

    start_all();
    bench_report_memory(bench_resident_bytes() - before, 0);
    return idle_count;
}

} // namespace

const bench_workload bench_workloads[] = {
    {"dispatch", begin_dispatch, dispatch},
    {"register", begin_idle, register_all},
    {"idle_memory", begin_idle, hold_idle},
    {nullptr, nullptr, nullptr},
};
