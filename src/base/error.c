/*
 * Names and descriptions of errors. The system's strerror() is not used: its text lies in a buffer
 * that threads share, and differs from one system to the next.
 */
#include <aiol/error.h>

#include <errno.h>

struct error_text {
    int error;
    const char *name;
    const char *message;
};

static const struct error_text texts[] = {
    {AIOL_ECLOSED, "AIOL_ECLOSED", "the object or its loop was closed"},
    {AIOL_ENOTASK, "AIOL_ENOTASK", "called outside of a task"},
    {AIOL_ESCOPE, "AIOL_ESCOPE", "a task ended with a scope or group still open"},
    {-E2BIG, "E2BIG", "argument list too long"},
    {-EACCES, "EACCES", "permission denied"},
    {-EADDRINUSE, "EADDRINUSE", "address already in use"},
    {-EADDRNOTAVAIL, "EADDRNOTAVAIL", "address not available"},
    {-EAFNOSUPPORT, "EAFNOSUPPORT", "address family not supported"},
    {-EAGAIN, "EAGAIN", "nothing there yet, or no room; try again"},
    {-EALREADY, "EALREADY", "already done or under way"},
    {-EBADF, "EBADF", "bad file descriptor"},
    {-EBUSY, "EBUSY", "resource busy"},
    {-ECANCELED, "ECANCELED", "canceled"},
    {-ECHILD, "ECHILD", "no child process"},
    {-ECONNABORTED, "ECONNABORTED", "connection aborted"},
    {-ECONNREFUSED, "ECONNREFUSED", "connection refused"},
    {-ECONNRESET, "ECONNRESET", "connection reset by peer"},
    {-EDEADLK, "EDEADLK", "nothing can ever end this wait"},
    {-EDESTADDRREQ, "EDESTADDRREQ", "destination address required"},
    {-EDOM, "EDOM", "argument out of domain"},
    {-EEXIST, "EEXIST", "file exists"},
    {-EFAULT, "EFAULT", "bad address"},
    {-EFBIG, "EFBIG", "file too large"},
    {-EHOSTUNREACH, "EHOSTUNREACH", "host unreachable"},
    {-EILSEQ, "EILSEQ", "illegal byte sequence"},
    {-EINPROGRESS, "EINPROGRESS", "operation in progress"},
    {-EINTR, "EINTR", "interrupted by a signal"},
    {-EINVAL, "EINVAL", "invalid argument"},
    {-EIO, "EIO", "input/output error"},
    {-EISCONN, "EISCONN", "already connected"},
    {-EISDIR, "EISDIR", "is a directory"},
    {-ELOOP, "ELOOP", "too many links, or pollers nested in a circle"},
    {-EMFILE, "EMFILE", "too many descriptors open in this process"},
    {-EMLINK, "EMLINK", "too many links"},
    {-EMSGSIZE, "EMSGSIZE", "message too long"},
    {-ENAMETOOLONG, "ENAMETOOLONG", "name too long"},
    {-ENETDOWN, "ENETDOWN", "network is down"},
    {-ENETRESET, "ENETRESET", "connection aborted by network"},
    {-ENETUNREACH, "ENETUNREACH", "network unreachable"},
    {-ENFILE, "ENFILE", "too many files open in the system"},
    {-ENOBUFS, "ENOBUFS", "no buffer space left"},
    {-ENODEV, "ENODEV", "no such device"},
    {-ENOENT, "ENOENT", "no such file or directory"},
    {-ENOEXEC, "ENOEXEC", "not an executable"},
    {-ENOLCK, "ENOLCK", "no locks left"},
    {-ENOMEM, "ENOMEM", "out of memory"},
    {-ENOPROTOOPT, "ENOPROTOOPT", "protocol option not available"},
    {-ENOSPC, "ENOSPC", "no space left"},
    {-ENOSYS, "ENOSYS", "not offered by this system"},
    {-ENOTCONN, "ENOTCONN", "not connected"},
    {-ENOTDIR, "ENOTDIR", "not a directory"},
    {-ENOTEMPTY, "ENOTEMPTY", "directory not empty"},
    {-ENOTSOCK, "ENOTSOCK", "not a socket"},
    {-ENOTSUP, "ENOTSUP", "not supported"},
    {-ENOTTY, "ENOTTY", "not a terminal"},
    {-ENXIO, "ENXIO", "no such device or address"},
    {-EOVERFLOW, "EOVERFLOW", "value too large"},
    {-EPERM, "EPERM", "operation not permitted"},
    {-EPIPE, "EPIPE", "the peer has closed the connection"},
    {-EPROTO, "EPROTO", "protocol error"},
    {-EPROTONOSUPPORT, "EPROTONOSUPPORT", "protocol not supported"},
    {-EPROTOTYPE, "EPROTOTYPE", "wrong protocol type for socket"},
    {-ERANGE, "ERANGE", "result out of range"},
    {-EROFS, "EROFS", "read-only file system"},
    {-ESPIPE, "ESPIPE", "cannot seek"},
    {-ESRCH, "ESRCH", "no such process"},
    {-ETIMEDOUT, "ETIMEDOUT", "timed out"},
    {-ETXTBSY, "ETXTBSY", "text file busy"},
    {-EXDEV, "EXDEV", "link across devices"},
};

static const struct error_text *find_text(int error)
{
    for (size_t i = 0; i < sizeof texts / sizeof texts[0]; i++) {
        if (texts[i].error == error)
            return &texts[i];
    }
    return NULL;
}

const char *aiol_error_name(int error)
{
    const struct error_text *text;

    if (error >= 0)
        return "OK";
    text = find_text(error);
    return text ? text->name : "UNKNOWN";
}

const char *aiol_error_message(int error)
{
    const struct error_text *text;

    if (error >= 0)
        return "success";
    text = find_text(error);
    return text ? text->message : "unknown error";
}

static int rank(int result)
{
    if (result >= 0)
        return 0;
    return result == -ECANCELED ? 1 : 2;
}

int aiol_first_error(int first, int second)
{
    return rank(second) > rank(first) ? second : first;
}
