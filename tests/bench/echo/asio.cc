/* Echo by Asio. It waits until there is something, reads that into the one buffer of all, and
 * writes it at once; what there is no room for then is copied, and written when there is. To let it
 * read as well (async_read_some) saves the epoll_ctl() of each wait, but wants a buffer for each
 * connection; with many of them, or large requests, that takes longer. */
#include "../bench.h"

#include <asio.hpp>
#include <cstdio>
#include <string>

namespace
{

/* Without the type erasure that executors have by default. */
using executor = asio::io_context::executor_type;
using asio::ip::tcp;
using tcp_socket = asio::basic_stream_socket<tcp, executor>;
using tcp_acceptor = asio::basic_socket_acceptor<tcp, executor>;

struct connection {
    tcp_socket socket;
    std::string rest;

    explicit connection(tcp_socket &&accepted) : socket(std::move(accepted))
    {
    }
};

asio::io_context loop(ASIO_CONCURRENCY_HINT_UNSAFE);
char buffer[65536];

void wait_next(connection *from);

void write_later(connection *to, const char *bytes, size_t size)
{
    to->rest.assign(bytes, size);
    asio::async_write(to->socket, asio::buffer(to->rest),
                      [to](const asio::error_code &error, size_t) {
                          bench_check(!error, "write");
                          wait_next(to);
                      });
}

void echo(connection *from)
{
    asio::error_code error;
    size_t size = from->socket.read_some(asio::buffer(buffer), error);
    size_t written;

    if (error) {
        bench_check(error != asio::error::would_block, "read");
        delete from;
        return;
    }
    written = from->socket.write_some(asio::buffer(buffer, size), error);
    bench_check(!error || error == asio::error::would_block, "write");
    if (written < size)
        write_later(from, buffer + written, size - written);
    else
        wait_next(from);
}

void wait_next(connection *from)
{
    from->socket.async_wait(tcp_socket::wait_read, [from](const asio::error_code &error) {
        bench_check(!error, "wait");
        echo(from);
    });
}

void accept_next(tcp_acceptor *listener)
{
    listener->async_accept([listener](const asio::error_code &error, tcp_socket accepted) {
        if (!error) {
            accepted.non_blocking(true);
            accepted.set_option(tcp::no_delay(true));
            wait_next(new connection(std::move(accepted)));
        }
        accept_next(listener);
    });
}

void serve(long, long)
{
    tcp_acceptor listener(loop, tcp::endpoint(asio::ip::address_v4::loopback(), 0));

    listener.listen(4096);
    std::printf("%u\n", unsigned(listener.local_endpoint().port()));
    std::fflush(stdout);
    accept_next(&listener);
    loop.run();
}

} // namespace

const bench_workload bench_workloads[] = {
    {"echo", serve, nullptr},
    {"echo16k", serve, nullptr},
    {nullptr, nullptr, nullptr},
};
