/*
 * Errors are negative numbers: -errno where the system has a name for what went wrong, else one of
 * the codes below. Nothing is reported through errno.
 */
#ifndef AIOL_ERROR_H
#define AIOL_ERROR_H

#include <aiol/base.h>

AIOL_BEGIN_DECLARATIONS

enum aiol_error {
    /* The object, its other side or its loop was closed. Never a cancellation: that is -ECANCELED.
     */
    AIOL_ECLOSED = -10001,
    /* An awaiting call, or one that needs a task, was made outside of a task. */
    AIOL_ENOTASK = -10002,
    /* A task's function returned while a scope or group that it had entered was still open. */
    AIOL_ESCOPE = -10003
};

/*
 * The name of an error as it is written in C: "ECONNRESET", "AIOL_ECLOSED"; "OK" for 0 and more,
 * "UNKNOWN" for a number that is no error known here. The text is static.
 *
 * Thread: any. Cannot fail.
 */
AIOL_API const char *aiol_error_name(int error);

/*
 * A short English description of an error: "connection reset by peer". The text is static.
 *
 * Thread: any. Cannot fail.
 */
AIOL_API const char *aiol_error_message(int error);

/*
 * The result that says most of two: a failure that is not -ECANCELED outranks -ECANCELED, which
 * outranks success; among equals the first one.
 *
 * Thread: any. Cannot fail.
 */
AIOL_API int aiol_first_error(int first, int second);

AIOL_END_DECLARATIONS

#endif
