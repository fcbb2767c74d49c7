/* As much of HTTP/1.1 as a file server and its client need. */
#ifndef HTTP_H
#define HTTP_H

#include <stddef.h>
#include <stdint.h>

/* Room for a path of PATH_MAX bytes that must be percent-encoded throughout, and for the rest. */
#define HTTP_HEAD_BYTES 16384

/* The head of a request or an answer, and what came behind it in the same go. */
struct http_head {
    size_t filled_bytes;
    size_t body_at;
    char text[HTTP_HEAD_BYTES]; /* a string: ends where the empty line was */
};

/*
 * Receive up to the empty line. Returns 0, AIOL_ECLOSED when the peer closes before that, -EMSGSIZE
 * when there is no end to it, or an error as aiol_await_recv() does.
 */
int http_receive_head(int fd, struct http_head *head);

/* Write a request for a path. Returns its size, or -ENAMETOOLONG. */
int http_write_request(char buffer[HTTP_HEAD_BYTES], const char *path);

/*
 * Find the decoded path, without the slash before it, in the text of a request, which is changed in
 * place. Returns 0, or -EINVAL when it is no GET that this server understands.
 */
int http_parse_request(char *text, char **ret_path);

struct http_answer {
    unsigned status; /* 0: none was received */
    char reason[64];
    uint64_t content_bytes;
};

/* Returns 0, or -EPROTO when it is no answer, or has no length. */
int http_parse_answer(const char *text, struct http_answer *ret_answer);

#endif
