/* Allocation through a user's functions, and arithmetic that does not wrap around. */
#include "base/allocator.h"
#include "base/arithmetic.h"
#include "support.h"

#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

/* An allocator that can only be used with the context it was given, and never with NULL. */
struct context {
    int calls;
    bool was_misused;
};

static void *allocate(void *context, size_t size_bytes)
{
    ((struct context *)context)->calls++;
    return malloc(size_bytes);
}

static void *reallocate(void *context, void *memory, size_t size_bytes)
{
    ((struct context *)context)->calls++;
    ((struct context *)context)->was_misused |= memory == NULL;
    return realloc(memory, size_bytes);
}

static void release(void *context, void *memory)
{
    ((struct context *)context)->calls++;
    ((struct context *)context)->was_misused |= memory == NULL;
    free(memory);
}

static void test_a_users_functions_get_their_context_and_never_null(void **state)
{
    struct context context = {.calls = 0};
    const struct aiol_allocator allocator = {allocate, reallocate, release, &context};
    char zeroes[64] = {0};
    char *memory;

    (void)state;
    aiol__release(&allocator, NULL);
    assert_int_equal(context.calls, 0);
    memory = aiol__reallocate(&allocator, NULL, 10);
    memcpy(memory, "0123456789", 10);
    memory = aiol__reallocate(&allocator, memory, 100000);
    assert_memory_equal(memory, "0123456789", 10);
    aiol__release(&allocator, memory);
    memory = aiol__allocate_zeroed(&allocator, sizeof zeroes);
    assert_memory_equal(memory, zeroes, sizeof zeroes);
    aiol__release(&allocator, memory);
    assert_int_equal(context.calls, 5);
    assert_false(context.was_misused);
}

static void test_a_loop_copies_its_allocator(void **state)
{
    struct context context = {.calls = 0};
    struct aiol_allocator allocator = {allocate, reallocate, release, &context};
    struct aiol_loop_options options = {.size = sizeof options, .allocator = &allocator};
    struct aiol_loop *loop;

    (void)state;
    assert_int_equal(aiol_loop_new(&options, &loop), 0);
    memset(&allocator, 0xa5, sizeof allocator);
    assert_int_equal(aiol_loop_free(loop), 0);
    assert_true(context.calls >= 6);
    assert_int_equal(context.calls % 2, 0);
    assert_false(context.was_misused);
}

static void test_no_memory_is_null(void **state)
{
    (void)state;
    fail_allocation(1);
    assert_null(aiol__allocate(&counting_allocator, 1));
    fail_allocation(1);
    assert_null(aiol__allocate_zeroed(&counting_allocator, 1));
    fail_allocation(1);
    assert_null(aiol__reallocate(&counting_allocator, NULL, 1));
}

static void test_arithmetic_saturates_or_says_that_it_would_overflow(void **state)
{
    (void)state;
    assert_true(aiol__saturating_add(UINT64_MAX - 1, 1) == UINT64_MAX);
    assert_true(aiol__saturating_add(UINT64_MAX - 1, 2) == UINT64_MAX);
    assert_true(aiol__saturating_add(UINT64_MAX, UINT64_MAX) == UINT64_MAX);
    assert_true(aiol__saturating_add(2, 3) == 5);
    assert_true(aiol__saturating_sub(2, 3) == 0);
    assert_true(aiol__saturating_sub(3, 2) == 1);
    assert_true(aiol__product_overflows(SIZE_MAX / 2 + 1, 2));
    assert_false(aiol__product_overflows(SIZE_MAX / 2, 2));
    assert_false(aiol__product_overflows(SIZE_MAX, 0));
}

static void ignore_io(struct aiol_io *io, uint32_t ready, void *data)
{
    (void)io, (void)ready, (void)data;
}

static void test_without_an_allocator_it_is_malloc_and_its_family(void **state)
{
    struct aiol_loop *loop;
    struct aiol_io io;
    int fds[2], high_fd;

    (void)state;
    make_socket_pair(fds);
    high_fd = fcntl(fds[0], F_DUPFD_CLOEXEC, 200); /* for which the table has to grow */
    assert_true(high_fd >= 200);
    assert_int_equal(aiol_loop_new(NULL, &loop), 0);
    aiol_io_init(&io, loop, fds[0], ignore_io, NULL);
    assert_int_equal(aiol_io_start(&io, AIOL_READABLE), 0);
    aiol_io_close(&io);
    aiol_io_init(&io, loop, high_fd, ignore_io, NULL);
    assert_int_equal(aiol_io_start(&io, AIOL_READABLE), 0);
    aiol_io_close(&io);
    assert_int_equal(aiol_loop_free(loop), 0);
    close(fds[0]);
    close(fds[1]);
    close(high_fd);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(test_without_an_allocator_it_is_malloc_and_its_family),
        TEST(test_a_users_functions_get_their_context_and_never_null),
        TEST(test_a_loop_copies_its_allocator),
        TEST(test_no_memory_is_null),
        TEST(test_arithmetic_saturates_or_says_that_it_would_overflow),
    };

    return cmocka_run_group_tests_name("base/allocator", tests, NULL, NULL);
}
