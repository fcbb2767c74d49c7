/* Descriptors that are not sockets: regular files, which cannot be polled, and pollers. */
#include "poller.h"
#include "support.h"

#include <errno.h>
#include <sys/epoll.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <unistd.h>

struct probe {
    struct aiol_io io;
    struct notes *notes;
    char name;
    uint32_t ready;
    struct probe *stops;
};

static void note_call(struct aiol_io *io, uint32_t ready, void *data)
{
    struct probe *probe = data;

    (void)io;
    probe->ready = ready;
    note(probe->notes, probe->name);
    if (probe->stops)
        aiol_io_stop(&probe->stops->io);
}

static void init_probe(struct probe *probe, struct aiol_loop *loop, int fd, struct notes *notes,
                       char name)
{
    *probe = (struct probe){.notes = notes, .name = name};
    aiol_io_init(&probe->io, loop, fd, note_call, probe);
}

static int open_regular_file(void)
{
    int fd = memfd_create("aiol-test", MFD_CLOEXEC);

    assert_true(fd >= 0);
    return fd;
}

static void test_a_regular_file_is_always_ready_for_what_is_wanted(void **state)
{
    struct aiol_loop *loop = new_loop();
    struct notes notes = {.length = 0};
    struct probe reader, writer;
    int fd = open_regular_file();

    (void)state;
    init_probe(&reader, loop, fd, &notes, 'r');
    init_probe(&writer, loop, fd, &notes, 'w');
    assert_int_equal(aiol_io_start(&writer.io, AIOL_WRITABLE), 0);
    assert_int_equal(aiol_io_start(&reader.io, AIOL_READABLE), 0);
    for (int i = 0; i < 2; i++)
        assert_int_equal(aiol_loop_run_once(loop, AIOL_NEVER), 1);
    assert_string_equal(notes.text, "wrwr");
    assert_int_equal(reader.ready, AIOL_READABLE);
    assert_int_equal(writer.ready, AIOL_WRITABLE);
    aiol_io_stop(&writer.io);
    aiol_loop_run_once(loop, AIOL_NEVER);
    assert_string_equal(notes.text, "wrwrr");
    aiol_io_stop(&reader.io);
    aiol_loop_run_once(loop, 0);
    assert_true(aiol_loop_next_timeout_ns(loop) == AIOL_NEVER);
    assert_int_equal(aiol_io_start(&reader.io, AIOL_READABLE), 0);
    aiol_loop_run_once(loop, AIOL_NEVER);
    assert_string_equal(notes.text, "wrwrrr");
    aiol_io_close(&reader.io);
    aiol_io_close(&writer.io);
    close(fd);
    free_loop(loop);
}

static void note_timer(struct aiol_timer *timer, void *data)
{
    (void)timer;
    note(data, 't');
}

static void test_p8_a_regular_file_starves_neither_timers_nor_sockets(void **state)
{
    struct aiol_loop *loop;
    struct notes notes = {.length = 0};
    struct probe file, socket;
    struct aiol_timer timer;
    int fds[2], fd = open_regular_file();

    (void)state;
    begin_fake_time(AIOL_HOUR);
    loop = new_loop();
    make_socket_pair(fds);
    init_probe(&file, loop, fd, &notes, 'f');
    init_probe(&socket, loop, fds[0], &notes, 's');
    aiol_timer_init(&timer, loop, note_timer, &notes);
    aiol_io_start(&file.io, AIOL_READABLE);
    aiol_io_start(&socket.io, AIOL_READABLE);
    aiol_timer_start(&timer, AIOL_SECOND);
    aiol_loop_run_once(loop, AIOL_NEVER);
    assert_string_equal(notes.text, "f");
    pass_fake_time(AIOL_SECOND);
    assert_int_equal(write(fds[1], "x", 1), 1);
    aiol_loop_run_once(loop, AIOL_NEVER);
    assert_string_equal(notes.text, "fsft");
    aiol_io_close(&file.io);
    aiol_io_close(&socket.io);
    close(fd);
    close(fds[0]);
    close(fds[1]);
    free_loop(loop);
}

static void test_p1_watchers_of_regular_files_may_stop_one_another(void **state)
{
    struct aiol_loop *loop = new_loop();
    struct notes notes = {.length = 0};
    struct probe probes[4];
    int fds[4];

    (void)state;
    for (int i = 0; i < 4; i++) {
        fds[i] = open_regular_file();
        init_probe(&probes[i], loop, fds[i], &notes, (char)('a' + i));
        assert_int_equal(aiol_io_start(&probes[i].io, AIOL_READABLE), 0);
    }
    probes[0].stops = &probes[0];
    probes[1].stops = &probes[2];
    probes[3].stops = &probes[1];
    aiol_loop_run_once(loop, AIOL_NEVER);
    assert_string_equal(notes.text, "abd");
    aiol_loop_run_once(loop, AIOL_NEVER);
    assert_string_equal(notes.text, "abdd");
    for (int i = 0; i < 4; i++) {
        aiol_io_close(&probes[i].io);
        close(fds[i]);
    }
    free_loop(loop);
}

static void test_a_file_and_a_socket_may_take_over_each_others_number(void **state)
{
    struct aiol_loop *loop = new_loop();
    struct notes notes = {.length = 0};
    struct probe probe;
    int fd = open_regular_file(), fds[2];

    (void)state;
    init_probe(&probe, loop, fd, &notes, 'f');
    aiol_io_start(&probe.io, AIOL_READABLE);
    aiol_loop_run_once(loop, AIOL_NEVER);
    aiol_io_close(&probe.io);
    close(fd);
    make_socket_pair(fds);
    assert_int_equal(fds[0], fd);
    init_probe(&probe, loop, fds[0], &notes, 's');
    assert_int_equal(aiol_io_start(&probe.io, AIOL_READABLE), 0);
    aiol_loop_run_once(loop, 0);
    aiol_loop_run_once(loop, 0);
    assert_string_equal(notes.text, "f");
    assert_int_equal(write(fds[1], "x", 1), 1);
    aiol_loop_run_once(loop, 0);
    assert_string_equal(notes.text, "fs");

    aiol_io_close(&probe.io);
    close(fds[0]);
    close(fds[1]);
    fd = open_regular_file();
    assert_int_equal(fd, fds[0]);
    init_probe(&probe, loop, fd, &notes, 'f');
    assert_int_equal(aiol_io_start(&probe.io, AIOL_READABLE), 0);
    aiol_loop_run_once(loop, AIOL_NEVER);
    assert_string_equal(notes.text, "fsf");
    aiol_io_close(&probe.io);
    close(fd);
    free_loop(loop);
}

static void test_an_epoll_descriptor_can_be_watched(void **state)
{
    struct aiol_loop *loop = new_loop();
    struct notes notes = {.length = 0};
    struct epoll_event event = {.events = EPOLLIN};
    struct probe probe;
    int inner_fd = epoll_create1(EPOLL_CLOEXEC), fds[2];

    (void)state;
    make_socket_pair(fds);
    assert_int_equal(epoll_ctl(inner_fd, EPOLL_CTL_ADD, fds[0], &event), 0);
    init_probe(&probe, loop, inner_fd, &notes, 'e');
    assert_int_equal(aiol_io_start(&probe.io, AIOL_READABLE), 0);
    aiol_loop_run_once(loop, 0);
    assert_int_equal(notes.length, 0);
    assert_int_equal(write(fds[1], "x", 1), 1);
    aiol_loop_run_once(loop, AIOL_NEVER);
    assert_string_equal(notes.text, "e");
    aiol_io_close(&probe.io);
    close(inner_fd);
    close(fds[0]);
    close(fds[1]);
    free_loop(loop);
}

static void test_a_loop_refuses_to_watch_itself(void **state)
{
    struct aiol_loop *loop, *other;
    struct notes notes = {.length = 0};
    struct probe itself, inner, circle;

    (void)state;
    only_with_epoll();
    loop = new_loop();
    other = new_loop();
    init_probe(&itself, loop, aiol_loop_backend_fd(loop), &notes, 'i');
    assert_true(aiol_io_start(&itself.io, AIOL_READABLE) < 0);
    init_probe(&inner, loop, aiol_loop_backend_fd(other), &notes, 'o');
    assert_int_equal(aiol_io_start(&inner.io, AIOL_READABLE), 0);
    init_probe(&circle, other, aiol_loop_backend_fd(loop), &notes, 'c');
    assert_int_equal(aiol_io_start(&circle.io, AIOL_READABLE), -ELOOP);
    aiol_io_close(&inner.io);
    free_loop(other);
    free_loop(loop);
}

static void test_a_simulated_loop_refuses_real_descriptors(void **state)
{
    struct aiol_loop *loop = new_sim_loop(1);
    struct notes notes = {.length = 0};
    struct probe probe;
    int fds[2];

    (void)state;
    make_socket_pair(fds);
    init_probe(&probe, loop, fds[0], &notes, 'p');
    assert_int_equal(aiol_io_start(&probe.io, AIOL_READABLE), -ENOTSUP);
    assert_int_equal(aiol_io_is_active(&probe.io), 0);
    assert_int_equal(aiol_loop_is_alive(loop), 0);
    close(fds[0]);
    close(fds[1]);
    free_loop(loop);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(test_a_regular_file_is_always_ready_for_what_is_wanted),
        TEST(test_p8_a_regular_file_starves_neither_timers_nor_sockets),
        TEST(test_p1_watchers_of_regular_files_may_stop_one_another),
        TEST(test_a_file_and_a_socket_may_take_over_each_others_number),
        TEST(test_an_epoll_descriptor_can_be_watched),
        TEST(test_a_loop_refuses_to_watch_itself),
        TEST(test_a_simulated_loop_refuses_real_descriptors),
    };

    return cmocka_run_group_tests_name("reactor/io_kinds", tests, NULL, NULL);
}
