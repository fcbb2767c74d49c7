/*
 * Heads of HTTP requests and answers. Receiving one is a loop that reads like the blocking version;
 * the rest is text.
 */
#include "http.h"

#include <aiol.h>

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

int http_receive_head(int fd, struct http_head *head)
{
    char *end = NULL;

    head->filled_bytes = 0;
    while (!end) {
        size_t room_bytes = sizeof head->text - head->filled_bytes;
        int64_t size;

        if (room_bytes == 0)
            return -EMSGSIZE;
        size = aiol_await_recv(fd, head->text + head->filled_bytes, room_bytes);
        if (size <= 0)
            return size < 0 ? (int)size : AIOL_ECLOSED;
        head->filled_bytes += (size_t)size;
        end = memmem(head->text, head->filled_bytes, "\r\n\r\n", 4);
    }
    *end = '\0';
    head->body_at = (size_t)(end - head->text) + 4;
    return 0;
}

int http_write_request(char buffer[HTTP_HEAD_BYTES], const char *path)
{
    static const char plain[] =
        "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-._~/";
    static const char end[] = " HTTP/1.1\r\nHost: 127.0.0.1\r\nConnection: close\r\n\r\n";
    int size = sprintf(buffer, "GET /");

    for (const char *c = path; *c; c++) {
        if ((size_t)size + sizeof "%00" + sizeof end > HTTP_HEAD_BYTES)
            return -ENAMETOOLONG;
        size += sprintf(buffer + size, strchr(plain, *c) ? "%c" : "%%%02X", (unsigned char)*c);
    }
    return size + sprintf(buffer + size, "%s", end);
}

/* The value of a hexadecimal digit, or -1. */
static int hex_value(char c)
{
    if (c >= '0' && c <= '9')
        return c - '0';
    c |= 'a' - 'A'; /* to lower case */
    return c >= 'a' && c <= 'f' ? c - 'a' + 10 : -1;
}

/* A zero byte cannot be part of a path: not even encoded, or it would hide what follows. */
static int decode_percents(char *text)
{
    char *to = text;

    for (const char *from = text; *from; from++, to++) {
        *to = *from;
        if (*from == '%') {
            int high = hex_value(from[1]);
            int low = high < 0 ? -1 : hex_value(from[2]);

            if (low < 0 || high + low == 0)
                return -EINVAL;
            *to = (char)(high << 4 | low);
            from += 2;
        }
    }
    *to = '\0';
    return 0;
}

int http_parse_request(char *text, char **ret_path)
{
    static const char start[] = "GET /";
    char *path = text + strlen(start);
    char *space;
    int rc;

    if (strncmp(text, start, strlen(start)) != 0)
        return -EINVAL;
    space = strpbrk(path, " \r\n");
    if (!space || strncmp(space, " HTTP/1.", 8) != 0)
        return -EINVAL;
    *space = '\0';
    path[strcspn(path, "?#")] = '\0';
    if ((rc = decode_percents(path)) < 0)
        return rc;
    *ret_path = path;
    return 0;
}

int http_parse_answer(const char *text, struct http_answer *ret_answer)
{
    static const char length_name[] = "\r\nContent-Length:";
    const char *length = strcasestr(text, length_name);
    struct http_answer answer;
    char *end;

    if (sscanf(text, "HTTP/1.%*1[01] %3u %63[^\r]", &answer.status, answer.reason) != 2 || !length)
        return -EPROTO;
    length += strlen(length_name);
    answer.content_bytes = strtoull(length, &end, 10);
    if (end == length)
        return -EPROTO;
    *ret_answer = answer;
    return 0;
}
