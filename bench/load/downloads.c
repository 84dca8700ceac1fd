/* Downloads: clients that each read a blob, again and again, and forget it. */

#define _GNU_SOURCE
#include "load.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#define SLOW_STEP (32 * 1024)

static void prepare(struct worker *worker)
{
    worker->own = malloc(MIB);
}

static int ask(struct worker *worker)
{
    const struct options *options = worker->options;
    char text[2 * HEAD_SIZE], range[128] = "";
    int size;

    if (options->ranges > 0) {
        long part = (options->ranges + options->connections - 1) / options->connections;
        long first = part * worker->index, last = first + part - 1;
        snprintf(range, sizeof range, "Range: bytes=%ld-%ld\r\n", first,
                 last < options->ranges ? last : options->ranges - 1);
    }
    size = snprintf(text, sizeof text, "GET %s HTTP/1.1\r\nHost: 127.0.0.1\r\n%s%s\r\n",
                    options->targets[0], range, options->headers);
    return channel_write_bytes(&worker->channel, text, (size_t)size);
}

/* Read the header and what comes with it; return the body's bytes still to come. */
static int64_t begin(struct worker *worker)
{
    struct answer answer;
    char *data = worker->own;
    size_t used = 0, head = 0;
    int meant = worker->options->ranges > 0 ? 206 : 200;

    while (head == 0) {
        ssize_t got = channel_read(&worker->channel, data + used, HEAD_SIZE - used);
        if (got <= 0)
            return -1;
        used += (size_t)got;
        head = answer_parse(data, used, &answer);
        if (head == 0 && used == HEAD_SIZE)
            return -1;
    }
    if (answer.status != meant || answer.length < 0) {
        worker->tally.bad++;
        return -1;
    }
    worker->tally.bytes += (int64_t)(used - head);
    return answer.length - (int64_t)(used - head);
}

static void keep_to(double rate, double began, int64_t bytes)
{
    double early = (double)bytes / rate - (now() - began);

    if (early > 0) {
        struct timespec pause = {(time_t)early, (long)((early - (long)early) * 1e9)};
        nanosleep(&pause, NULL);
    }
}

/* Read a blob once; 0, or -1 if that is the end of the connection. */
static int download(struct worker *worker, double end)
{
    const struct options *options = worker->options;
    double began = now();
    int64_t left, step = options->rate > 0 ? SLOW_STEP : 16 * MIB, got_so_far = 0;

    if (ask(worker) < 0 || (left = begin(worker)) < 0)
        return -1;
    while (left > 0) {
        ssize_t got = channel_discard(&worker->channel, worker->own,
                                      (size_t)(left < step ? left : step),
                                      options->copy);
        if (got <= 0)
            return -1;
        left -= got;
        got_so_far += got;
        worker->tally.bytes += got;
        if (options->rate > 0) {
            keep_to(options->rate, began, got_so_far);
            if (now() >= end)
                break;
        }
    }
    tally_add(&worker->tally, began, now());
    return left > 0 ? 1 : 0;
}

static void work(struct worker *worker)
{
    const struct options *options = worker->options;
    double end = now() + options->seconds;

    for (long number = 0; options->count == 0 || number < options->count; number++) {
        int ended;
        if (options->seconds > 0 && now() >= end)
            break;
        ended = download(worker, end);
        if (ended < 0)
            worker->tally.errors++;
        if (ended != 0)
            break;
    }
    free(worker->own);
}

int downloads_main(const struct options *options)
{
    return workers_run(options, prepare, work);
}
