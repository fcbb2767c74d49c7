/*
 * libaio-loop: an event loop with timers, queues and tasks for C.
 *
 * This header brings in everything. Each part can also be included alone. The comment above a
 * function is its reference; two lines recur in it:
 *
 *   Thread:  "the loop's" is the thread that runs the loop (or, while it does not run, the one that
 *            made it); "any" means what it says.
 *            Debug builds of the library (CMAKE_BUILD_TYPE=Debug) abort on a call from another
 *            thread; others do not look.
 *   Returns: 0 or more is success, a negative number an error: -errno or an AIOL_E... code
 *            (aiol/error.h). A call that fails has changed nothing, unless its comment says so.
 *
 * This library has nothing to do with Linux's libaio or with POSIX aio_*(): those read and write
 * files asynchronously, this one is what a program's main loop is made of.
 */
#ifndef AIOL_H
#define AIOL_H

#include <aiol/allocator.h>
#include <aiol/await.h>
#include <aiol/base.h>
#include <aiol/deferred.h>
#include <aiol/error.h>
#include <aiol/fd.h>
#include <aiol/future.h>
#include <aiol/group.h>
#include <aiol/hook.h>
#include <aiol/io.h>
#include <aiol/loop.h>
#include <aiol/poster.h>
#include <aiol/queue.h>
#include <aiol/remote.h>
#include <aiol/scope.h>
#include <aiol/sim.h>
#include <aiol/task.h>
#include <aiol/time.h>
#include <aiol/timer.h>

#endif
