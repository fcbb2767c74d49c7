#!/usr/bin/env bash
# What the compiled library refers to and offers. Memory and system calls are reached only by way of
# src/base and src/platform, so that a test can make each of them fail and a simulated loop makes
# none. The shared library exports what include/ declares and nothing else, and the static one has
# no name that could clash with a program's. Compiler and linker protect it as far as they can: the
# stack is not executable, what the linker resolves is resolved at the start and then read-only,
# functions check their stack, and indirect branches land where they may, which on x86-64 is marked
# in all of its code.
set -euo pipefail
source "$(dirname "$0")/../setup.sh"
need gcc libc6-dev cmake ninja-build binutils

calls='malloc|calloc|realloc|reallocarray|free|aligned_alloc|posix_memalign|strdup|strndup
mmap|munmap|mremap|mprotect|madvise|brk|sbrk
open|openat|creat|close|close_range|read|readv|pread|write|writev|pwrite|lseek|fsync|ftruncate
stat|fstat|lstat|fstatat|statx|rename|unlink|mkdir|rmdir|pipe|pipe2|dup|dup2|dup3|fcntl|ioctl
socket|socketpair|bind|listen|accept|accept4|connect|shutdown|getsockopt|setsockopt|getsockname
getpeername|recv|recvfrom|recvmsg|recvmmsg|send|sendto|sendmsg|sendmmsg|sendfile|splice
poll|ppoll|select|pselect|epoll_\w+|eventfd|timerfd_\w+|signalfd|inotify_\w+|kqueue|kevent
clock_\w+|gettimeofday|time|nanosleep|usleep|sleep|getrandom|getentropy|random|rand|syscall
signal|sigaction|sigprocmask|pthread_sigmask|sigaltstack|kill|raise|fork|vfork|execve|posix_spawnp?
waitpid|waitid|wait4|pthread_create|pthread_kill|getenv|setenv|printf|puts|perror|exit|_exit|abort'
calls=${calls//$'\n'/|}

built=$root/build/checks
build checks "aio-loop-static aio-loop-shared" -DCMAKE_C_COMPILER=gcc -DCMAKE_BUILD_TYPE=Release
cd "$built/CMakeFiles/aio-loop-objects.dir"
failed=0

for object in $(find src -name '*.o' ! -path 'src/base/*' ! -path 'src/platform/*' | sort); do
    source=${object%.o}
    for call in $(nm -u "$object" | awk '{ print $2 }' | grep -xE "(__)?($calls)(64)?(_chk)?"); do
        line=$(grep -nw -m 1 "$call" "$root/$source" | cut -d: -f1)
        echo "$source:${line:-1}: refers to $call: go through src/base or src/platform"
        failed=1
    done
done

cd "$root"
declared=$(cat include/*.h include/aiol/*.h | tr '\n' ' ' |
    grep -oE 'AIOL_API [^;(]*\(' | grep -oE 'aiol_\w+\($' | tr -d '(' | sort)
exported=$(nm -D --defined-only "$built/libaio-loop.so" | awk '{ print $3 }' | sort)
for name in $(comm -23 <(echo "$declared") <(echo "$exported")); do
    echo "$(grep -nwr -m 1 "$name" include | cut -d: -f1,2): $name is declared, but not exported"
    failed=1
done
for name in $(comm -13 <(echo "$declared") <(echo "$exported")); do
    echo "libaio-loop.so: exports $name, which no AIOL_API in include/ declares"
    failed=1
done
for name in $(nm -g --defined-only "$built/libaio-loop.a" | awk 'NF == 3 { print $3 }' |
    grep -v '^aiol_'); do
    echo "libaio-loop.a: defines $name, which does not begin with aiol_"
    failed=1
done

must() { # MESSAGE PATTERN COMMAND...
    local message=$1 pattern=$2
    shift 2
    "$@" | grep -E "$pattern" >/dev/null || { echo "libaio-loop.so: $message" && failed=1; }
}
library=$built/libaio-loop.so
must "its stack is executable" 'GNU_STACK .* RW  ' readelf -lW "$library"
must "has no segment that becomes read-only" 'GNU_RELRO' readelf -lW "$library"
must "is not resolved at the start" 'BIND_NOW|FLAGS.*NOW' readelf -dW "$library"
must "has functions that do not check their stack" '__stack_chk_fail' nm -D "$library"
must "has no landing pads" 'endbr64|bti' objdump -d --no-show-raw-insn "$library"
if readelf -dW "$library" | grep TEXTREL >/dev/null; then
    echo "libaio-loop.so: its code is written to when it is loaded"
    failed=1
fi
# A file is marked if all its parts are. The C library's part of the shared library may be not, as
# Debian's crti.o, so this looks at our own parts alone.
if [[ $(gcc -dumpmachine) == x86_64-* ]]; then
    ld -r --whole-archive "$built/libaio-loop.a" -o "$built/parts.o"
    must "has parts that are not marked as having landing pads" 'x86 feature: .*IBT' \
        readelf -n "$built/parts.o"
    if readelf -n "$built/parts.o" "$library" | grep SHSTK >/dev/null; then
        echo "libaio-loop.so: is marked for a shadow stack, which tasks do not keep up with"
        failed=1
    fi
fi
exit $failed
