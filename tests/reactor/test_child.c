/* What a program that is executed from here holds: nothing of the library's. The test executes
 * itself, to list the descriptors that it was given. */
#include "support.h"

#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#define HIGHEST_FD 1024

static const char *this_program;

/* The exit status of one that was executed: how many descriptors it was given beside the standard
 * ones, up to 100. */
static int count_given_fds(void)
{
    int count = 0;

    for (int fd = 3; fd < HIGHEST_FD && count < 100; fd++)
        count += fcntl(fd, F_GETFD) >= 0;
    return count;
}

/* Or 200 and more when it could not be executed. */
static int execute_and_count(void)
{
    int status = -1;
    pid_t pid = fork();

    if (pid == 0) {
        execl(this_program, this_program, "count", (char *)NULL);
        _exit(errno == ENOEXEC ? 201 : 200);
    }
    return waitpid(pid, &status, 0) == pid && WIFEXITED(status) ? WEXITSTATUS(status) : -1;
}

/* Its own result; emulators cannot always execute what they emulate. */
static int count_or_skip(void)
{
    int count = execute_and_count();

    if (count == 201)
        skip();
    return count;
}

static void ignore_io(struct aiol_io *io, uint32_t ready, void *data)
{
    (void)io, (void)ready, (void)data;
}

static int listen_on_loopback(struct sockaddr_in *ret_address)
{
    int fd = socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
    socklen_t size = sizeof *ret_address;

    *ret_address =
        (struct sockaddr_in){.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    assert_int_equal(bind(fd, (struct sockaddr *)ret_address, size), 0);
    assert_int_equal(listen(fd, 8), 0);
    assert_int_equal(getsockname(fd, (struct sockaddr *)ret_address, &size), 0);
    return fd;
}

struct connection {
    int listening_fd;
    int accepted_fd;
    int executed_count;
};

static int accept_and_execute(void *arg)
{
    struct connection *connection = arg;
    int rc = aiol_await_accept(connection->listening_fd, &connection->accepted_fd);

    if (rc == 0)
        connection->executed_count = execute_and_count();
    return rc;
}

static void test_p12_a_program_that_is_executed_holds_nothing(void **state)
{
    int before = count_or_skip(), fds[2];
    struct aiol_loop *loop = new_loop(), *simulated_loop = new_sim_loop(1);
    struct aiol_poster *poster;
    struct aiol_io io;

    (void)state;
    assert_true(before < 100);
    make_socket_pair(fds);
    assert_int_equal(aiol_poster_new(loop, &poster), 0);
    aiol_io_init(&io, loop, fds[0], ignore_io, NULL);
    assert_int_equal(aiol_io_start(&io, AIOL_READABLE), 0);
    assert_int_equal(aiol_poster_wake(poster), 0);
    assert_int_equal(aiol_loop_run_once(loop, 0), 1);

    assert_int_equal(execute_and_count(), before);
    aiol_io_close(&io);
    aiol_poster_release(poster);
    aiol_loop_run_once(loop, 0);
    close(fds[0]);
    close(fds[1]);
    free_loop(loop);
    free_loop(simulated_loop);
}

static void test_p12_nor_does_it_hold_a_connection_that_was_accepted(void **state)
{
    int before = count_or_skip();
    struct sockaddr_in address;
    struct connection connection = {.listening_fd = listen_on_loopback(&address)};
    int client_fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);

    (void)state;
    assert_int_equal(connect(client_fd, (struct sockaddr *)&address, sizeof address), 0);
    assert_int_equal(run_real(accept_and_execute, &connection), 0);
    assert_int_equal(connection.executed_count, before);
    assert_true(fcntl(connection.accepted_fd, F_GETFL) & O_NONBLOCK);
    close(connection.accepted_fd);
    close(connection.listening_fd);
    close(client_fd);
}

int main(int argc, char **argv)
{
    const struct CMUnitTest tests[] = {
        TEST(test_p12_a_program_that_is_executed_holds_nothing),
        TEST(test_p12_nor_does_it_hold_a_connection_that_was_accepted),
    };

    if (argc > 1 && strcmp(argv[1], "count") == 0)
        return count_given_fds();
    this_program = argv[0];
    return cmocka_run_group_tests_name("reactor/child", tests, NULL, NULL);
}
