/* Answer: what a server sends back, of HTTP as much as registries use. */

#define _GNU_SOURCE
#include "load.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

enum { SIZE_LINE, SIZE_REST, DATA, DATA_END, TRAILER, TRAILER_REST };

static void take_location(const char *value, size_t size, struct answer *answer)
{
    const char *slash;

    if (size > 7 && strncasecmp(value, "http", 4) == 0) {
        const char *host = memmem(value, size, "://", 3);
        slash = host ? memchr(host + 3, '/', size - (size_t)(host + 3 - value)) : NULL;
        if (slash == NULL)
            return;
        size -= (size_t)(slash - value);
        value = slash;
    }
    if (size >= sizeof answer->location)
        return;
    memcpy(answer->location, value, size);
    answer->location[size] = 0;
}

static bool is_name(const char *line, size_t size, const char *name)
{
    return size == strlen(name) && strncasecmp(line, name, size) == 0;
}

static void take_line(const char *line, const char *end, struct answer *answer)
{
    const char *colon = memchr(line, ':', (size_t)(end - line));
    const char *value;
    size_t name, size;

    if (colon == NULL)
        return;
    name = (size_t)(colon - line);
    for (value = colon + 1; value < end && *value == ' '; value++)
        ;
    size = (size_t)(end - value);
    if (is_name(line, name, "content-length"))
        answer->length = strtoll(value, NULL, 10);
    else if (is_name(line, name, "transfer-encoding"))
        answer->chunked = size == 7 && strncasecmp(value, "chunked", 7) == 0;
    else if (is_name(line, name, "connection"))
        answer->closes = size == 5 && strncasecmp(value, "close", 5) == 0;
    else if (is_name(line, name, "location"))
        take_location(value, size, answer);
}

/* Read a header; return its bytes, or 0 if it is not all there. */
size_t answer_parse(const char *data, size_t size, struct answer *answer)
{
    const char *end = memmem(data, size, "\r\n\r\n", 4);
    const char *line;

    if (end == NULL || size < 12)
        return 0;
    answer->status = atoi(data + 9);
    answer->length = -1;
    answer->chunked = answer->closes = false;
    answer->location[0] = 0;
    line = memchr(data, '\n', (size_t)(end - data));
    while (line != NULL) {
        const char *next = memchr(line + 1, '\r', (size_t)(end + 1 - line - 1));
        take_line(line + 1, next ? next : end, answer);
        line = next && next < end ? next + 1 : NULL;
    }
    return (size_t)(end + 4 - data);
}

void body_begin(struct body *body, const struct answer *answer, bool is_head)
{
    bool none = is_head || answer->status == 204 || answer->status == 304;

    body->chunked = !none && answer->chunked;
    body->left = none || answer->chunked || answer->length < 0 ? 0 : answer->length;
    body->done = !body->chunked && body->left == 0;
    body->state = SIZE_LINE;
    body->number = 0;
}

static void feed_size(struct body *body, char byte)
{
    if (byte == '\n') {
        body->left = body->number;
        body->state = body->number > 0 ? DATA : TRAILER;
        body->number = 0;
    } else if (body->state == SIZE_LINE && byte != '\r' && byte != ';') {
        int digit = byte <= '9' ? byte - '0' : (byte | 32) - 'a' + 10;
        body->number = body->number * 16 + digit;
    } else {
        body->state = SIZE_REST;
    }
}

/* Take what belongs to the body; return how much that is. */
size_t body_feed(struct body *body, const char *data, size_t size)
{
    size_t used = 0;

    while (!body->done && used < size) {
        if (!body->chunked || body->state == DATA) {
            size_t part = size - used;
            if ((int64_t)part > body->left)
                part = (size_t)body->left;
            used += part;
            body->left -= (int64_t)part;
            if (body->left == 0) {
                body->done = !body->chunked;
                body->state = DATA_END;
            }
            continue;
        }
        char byte = data[used++];
        if (body->state == SIZE_LINE || body->state == SIZE_REST)
            feed_size(body, byte);
        else if (body->state == DATA_END)
            body->state = byte == '\n' ? SIZE_LINE : DATA_END;
        else if (byte == '\n' && body->state == TRAILER)
            body->done = true;
        else if (byte != '\r')
            body->state = byte == '\n' ? TRAILER : TRAILER_REST;
    }
    return used;
}

/* Read a whole answer; 0, or -1 if the connection broke. */
int answer_read(struct channel *channel, struct answer *answer, bool is_head)
{
    char data[HEAD_SIZE];
    struct body body;
    size_t used = 0, head = 0;

    while (head == 0) {
        ssize_t got = channel_read(channel, data + used, sizeof data - used);
        if (got <= 0)
            return -1;
        used += (size_t)got;
        head = answer_parse(data, used, answer);
        if (head == 0 && used == sizeof data)
            return -1;
    }
    body_begin(&body, answer, is_head);
    body_feed(&body, data + head, used - head);
    while (!body.done) {
        ssize_t got = channel_read(channel, data, sizeof data);
        if (got <= 0)
            return -1;
        body_feed(&body, data, (size_t)got);
    }
    return 0;
}
