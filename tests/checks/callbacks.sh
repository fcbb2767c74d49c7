#!/usr/bin/env bash
# A program that uses only callbacks pays for no tasks: linked with the static library, it has no
# function of src/task or src/await in it.
set -euo pipefail
source "$(dirname "$0")/../setup.sh"
need gcc libc6-dev cmake ninja-build binutils

built=$root/build/checks
build checks "aio-loop-static" -DCMAKE_C_COMPILER=gcc -DCMAKE_BUILD_TYPE=Release

gcc -I"$root/include" -o "$built/callbacks" -x c - -x none "$built/libaio-loop.a" -pthread <<'END'
#include <aiol/deferred.h>
#include <aiol/hook.h>
#include <aiol/io.h>
#include <aiol/loop.h>
#include <aiol/poster.h>
#include <aiol/queue.h>
#include <aiol/timer.h>

static void on_timer(struct aiol_timer *timer, void *data)
{
    aiol_io_close(data);
    aiol_timer_stop(timer);
}

static void on_ready(struct aiol_io *io, uint32_t ready, void *data)
{
    (void)io, (void)ready, (void)data;
}

int main(void)
{
    struct aiol_loop *loop;
    struct aiol_timer timer;
    struct aiol_io io;

    if (aiol_loop_new(NULL, &loop) < 0)
        return 1;
    aiol_io_init(&io, loop, 0, on_ready, NULL);
    aiol_timer_init(&timer, loop, on_timer, &io);
    aiol_timer_start(&timer, 1 * AIOL_MILLISECOND);
    return aiol_loop_run(loop) < 0 || aiol_loop_free(loop) < 0;
}
END
"$built/callbacks"

cd "$built/CMakeFiles/aio-loop-objects.dir/src"
unwanted=$(comm -12 <(nm "$built/callbacks" | awk '{ print $NF }' | sort -u) \
    <(nm -g --defined-only task/*.o await/*.o | awk 'NF == 3 { print $3 }' | sort -u))
for name in $unwanted; do
    file=$(grep -lE "^\w.*\b$name\(" "$root"/src/{task,await}/*.c | sed -n 1p)
    echo "${file#"$root/"}:1: $name is linked into a program of callbacks"
done
[ -z "$unwanted" ]
