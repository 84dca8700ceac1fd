/* Requests: many connections that each ask again as soon as they are answered. */

#define _GNU_SOURCE
#include "load.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>

#define MOST_ERRORS 100
#define READ_SIZE (256 * 1024)

struct connection {
    struct channel channel;
    struct answer answer;
    struct body body;
    char head[HEAD_SIZE];
    size_t head_used;
    bool in_body;
    bool waits;           /* for an answer */
    double sent;
    long done;
};

struct run {
    const struct options *options;
    struct connection *connections;
    struct iovec requests[MAX_TARGETS];
    struct tally tally;
    double end;
    int epoll;
    int waiting;
    char data[READ_SIZE];
};

static void build(struct run *run)
{
    const struct options *options = run->options;

    for (int index = 0; index < options->target_count; index++) {
        char *text;
        int size = asprintf(&text, "%s %s HTTP/1.1\r\nHost: 127.0.0.1:%d\r\n%s\r\n",
                            options->method, options->targets[index], options->port,
                            options->headers);
        run->requests[index] = (struct iovec){text, (size_t)size};
    }
}

static bool is_over(const struct run *run, const struct connection *connection)
{
    long count = run->options->count;

    return (count > 0 && connection->done >= count) ||
           (run->options->seconds > 0 && now() >= run->end) ||
           run->tally.errors > MOST_ERRORS;
}

static int open_one(struct run *run, struct connection *connection)
{
    struct epoll_event event = {.events = EPOLLIN, .data.ptr = connection};

    if (channel_open(&connection->channel, run->options) < 0)
        return -1;
    channel_unblock(&connection->channel);
    return epoll_ctl(run->epoll, EPOLL_CTL_ADD, connection->channel.fd, &event);
}

static void send_one(struct run *run, struct connection *connection)
{
    long number = connection->done + (connection - run->connections);
    struct iovec *request = &run->requests[number % run->options->target_count];

    connection->head_used = 0;
    connection->in_body = false;
    connection->sent = now();
    if (channel_write(&connection->channel, request, 1) < 0) {
        run->tally.errors++;
        return;
    }
    connection->waits = true;
    run->waiting++;
}

static void reopen(struct run *run, struct connection *connection)
{
    if (connection->waits) {
        connection->waits = false;
        run->waiting--;
        run->tally.errors++;
    }
    channel_close(&connection->channel);
    if (is_over(run, connection))
        return;
    if (open_one(run, connection) < 0)
        run->tally.errors++;
    else
        send_one(run, connection);
}

/* An answer is complete. */
static void finish(struct run *run, struct connection *connection)
{
    int status = connection->answer.status;

    connection->waits = false;
    run->waiting--;
    connection->done++;
    if (status < 200 || status > 299)
        run->tally.bad++;
    tally_add(&run->tally, connection->sent, now());
    if (connection->answer.closes)
        reopen(run, connection);
    else if (!is_over(run, connection))
        send_one(run, connection);
}

/* Take bytes; return how many of them are the header's. */
static size_t take_head(struct connection *connection, const char *data, size_t size,
                        bool is_head)
{
    size_t before = connection->head_used, head;
    size_t part = sizeof connection->head - before;

    if (part > size)
        part = size;
    memcpy(connection->head + before, data, part);
    connection->head_used += part;
    head = answer_parse(connection->head, connection->head_used, &connection->answer);
    if (head == 0)
        return part;
    body_begin(&connection->body, &connection->answer, is_head);
    connection->in_body = true;
    return head - before;
}

static void take(struct run *run, struct connection *connection, size_t size)
{
    bool is_head = strcmp(run->options->method, "HEAD") == 0;
    size_t used = 0;

    run->tally.bytes += (int64_t)size;
    if (!connection->in_body)
        used = take_head(connection, run->data, size, is_head);
    if (!connection->in_body)
        return;
    body_feed(&connection->body, run->data + used, size - used);
    if (connection->body.done)
        finish(run, connection);
}

static void on_readable(struct run *run, struct connection *connection)
{
    for (;;) {
        ssize_t got = channel_read(&connection->channel, run->data, sizeof run->data);
        if (got < 0 && (errno == EAGAIN || errno == EINTR))
            return;
        if (got <= 0) {
            reopen(run, connection);
            return;
        }
        take(run, connection, (size_t)got);
        if (connection->channel.fd < 0)
            return;
        if (connection->channel.ssl == NULL && got < (ssize_t)sizeof run->data)
            return;
    }
}

static void loop(struct run *run)
{
    struct epoll_event events[256];

    while (run->waiting > 0 && now() < run->end + run->options->grace) {
        int count = epoll_wait(run->epoll, events, 256, 200);
        for (int index = 0; index < count; index++)
            on_readable(run, events[index].data.ptr);
        if (run->tally.errors > MOST_ERRORS)
            return;
    }
    run->tally.errors += run->waiting;
}

int requests_main(const struct options *options)
{
    struct run *run = calloc(1, sizeof *run);
    double began;

    run->options = options;
    run->connections = calloc((size_t)options->connections, sizeof *run->connections);
    run->epoll = epoll_create1(EPOLL_CLOEXEC);
    build(run);
    for (int index = 0; index < options->connections; index++) {
        if (open_one(run, &run->connections[index]) < 0) {
            perror("cannot connect");
            return 1;
        }
    }
    printf("ready\n");
    fflush(stdout);
    getchar();
    began = now();
    run->end = began + options->seconds;
    for (int index = 0; index < options->connections; index++)
        send_one(run, &run->connections[index]);
    loop(run);
    tally_print(&run->tally, began);
    return 0;
}
