/*
 * Random programs on the simulated loop, against a model (world.h): 10,000 of them in a Release
 * build, 500 in a Debug build or under a sanitizer, times AIOL_TEST_SCALE from the environment.
 * A failure prints its seed;
 *
 *     test_simulation_programs SEED [SEED-OF-THE-LOOP]
 *
 * runs that program again and prints all that happens in it. Both seeds are the same but where a
 * test says otherwise.
 */
#include "world.h"

#include <inttypes.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#if defined(__has_feature)
#if __has_feature(address_sanitizer) || __has_feature(thread_sanitizer)
#define IS_SANITIZED
#endif
#endif
#if defined(__SANITIZE_ADDRESS__) || defined(__SANITIZE_THREAD__)
#define IS_SANITIZED
#endif

#if defined(NDEBUG) && !defined(IS_SANITIZED)
#define SEED_COUNT 10000
#else
#define SEED_COUNT 500
#endif

/* The signals of a crash, an assertion, and an end by whoever waits for this program. */
static const int fatal_signals[] = {SIGSEGV, SIGBUS, SIGABRT, SIGTERM};
static struct sigaction actions_before[COUNT_OF(fatal_signals)];

/* In decimal digits that end at `end`; functions that print are not for signal handlers. */
static void write_number(char *end, uint64_t number)
{
    do {
        *--end = (char)('0' + number % 10);
        number /= 10;
    } while (number > 0);
}

/* Say which program it was, and leave the rest to who handled the signal before. */
static void tell_seed(int signal)
{
    char text[] = "Signal    , in the program of seed                     \n";

    write_number(strchr(text, ','), (uint64_t)signal);
    write_number(strchr(text, '\n'), world.seed);
    if (write(STDERR_FILENO, text, strlen(text)) < 0)
        _exit(1);
    for (size_t i = 0; i < COUNT_OF(fatal_signals); i++) {
        if (fatal_signals[i] == signal)
            sigaction(signal, &actions_before[i], NULL);
    }
    raise(signal);
}

static void watch_signals(void)
{
    struct sigaction action = {.sa_handler = tell_seed};

    for (size_t i = 0; i < COUNT_OF(fatal_signals); i++)
        sigaction(fatal_signals[i], &action, &actions_before[i]);
}

static void unwatch_signals(void)
{
    for (size_t i = 0; i < COUNT_OF(fatal_signals); i++)
        sigaction(fatal_signals[i], &actions_before[i], NULL);
}

/* Cmocka handles signals too, from the beginning of a test on. */
static uint64_t hash_on_loop(uint64_t seed, uint64_t loop_seed)
{
    bool agrees;

    watch_signals();
    agrees = run_program(seed, loop_seed, false);
    unwatch_signals();
    if (!agrees) {
        print_fault();
        fail_msg("test_simulation_programs %" PRIu64 " %" PRIu64 " shows it", seed, loop_seed);
    }
    return world.hash;
}

static uint64_t hash_of(uint64_t seed)
{
    return hash_on_loop(seed, seed);
}

static void test_random_programs_agree_with_the_model(void **state)
{
    const char *scale = getenv("AIOL_TEST_SCALE");
    uint64_t seed_count = SEED_COUNT * (scale ? strtoull(scale, NULL, 10) : 1);

    (void)state;
    assert_true(seed_count > 0);
    for (uint64_t seed = 1; seed <= seed_count; seed++)
        hash_of(seed);
}

static void test_p10_one_seed_is_always_the_same_run(void **state)
{
    (void)state;
    for (uint64_t seed = 1; seed <= 50; seed++) {
        uint64_t hash = hash_of(seed);

        assert_true(hash_of(seed) == hash);
    }
}

static void test_p10_another_seed_is_another_run(void **state)
{
    uint64_t hashes[100];

    (void)state;
    for (uint64_t seed = 0; seed < COUNT_OF(hashes); seed++) {
        hashes[seed] = hash_of(seed);
        for (uint64_t other = 0; other < seed; other++)
            assert_true(hashes[other] != hashes[seed]);
    }
}

/* The program is the same: what differs is what the library leaves open. */
static void test_p10_another_seed_of_the_loop_is_another_run(void **state)
{
    unsigned different_count = 0;

    (void)state;
    for (uint64_t seed = 0; seed < 100; seed++)
        different_count += hash_on_loop(seed, seed + 1) != hash_on_loop(seed, seed + 2);
    assert_true(different_count > 50);
}

static int replay(const char *argument, const char *loop_argument)
{
    uint64_t seed = strtoull(argument, NULL, 10);
    uint64_t loop_seed = loop_argument ? strtoull(loop_argument, NULL, 10) : seed;

    setvbuf(stdout, NULL, _IOLBF, 0);
    if (run_program(seed, loop_seed, true)) {
        printf("Seed %" PRIu64 " agrees with the model.\n", seed);
        return 0;
    }
    print_fault();
    return 1;
}

int main(int argc, char **argv)
{
    const struct CMUnitTest tests[] = {
        TEST(test_random_programs_agree_with_the_model),
        TEST(test_p10_one_seed_is_always_the_same_run),
        TEST(test_p10_another_seed_is_another_run),
        TEST(test_p10_another_seed_of_the_loop_is_another_run),
    };

    if (argc > 1)
        return replay(argv[1], argc > 2 ? argv[2] : NULL);
    return cmocka_run_group_tests_name("simulation/programs", tests, NULL, NULL);
}
