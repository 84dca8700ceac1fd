/* Tally: what was done, how fast, and how it is printed; and the threads that do it. */

#include "load.h"

#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#define STACK (512 * 1024)

double now(void)
{
    struct timespec time;

    clock_gettime(CLOCK_MONOTONIC, &time);
    return (double)time.tv_sec + (double)time.tv_nsec / 1e9;
}

static void make_room(struct tally *tally, long more)
{
    if (tally->done + more <= tally->room)
        return;
    tally->room = 2 * (tally->done + more) + 64;
    tally->milliseconds =
        realloc(tally->milliseconds, (size_t)tally->room * sizeof(float));
    if (tally->milliseconds == NULL)
        abort();
}

void tally_add(struct tally *tally, double began, double ended)
{
    make_room(tally, 1);
    tally->milliseconds[tally->done++] = (float)((ended - began) * 1000);
    tally->last = ended;
}

void tally_merge(struct tally *into, struct tally *from)
{
    make_room(into, from->done);
    if (from->done > 0)
        memcpy(into->milliseconds + into->done, from->milliseconds,
               (size_t)from->done * sizeof(float));
    into->done += from->done;
    into->bad += from->bad;
    into->errors += from->errors;
    into->bytes += from->bytes;
    if (from->last > into->last)
        into->last = from->last;
    free(from->milliseconds);
}

static int compare(const void *left, const void *right)
{
    float a = *(const float *)left, b = *(const float *)right;

    return (a > b) - (a < b);
}

static float share(const struct tally *tally, double part)
{
    long index = (long)(part * (double)tally->done);

    if (tally->done == 0)
        return 0;
    return tally->milliseconds[index < tally->done ? index : tally->done - 1];
}

void tally_print(struct tally *tally, double began)
{
    double seconds = tally->last > began ? tally->last - began : 0;

    if (tally->done > 0)
        qsort(tally->milliseconds, (size_t)tally->done, sizeof(float), compare);
    printf("{\"done\": %ld, \"seconds\": %.6f, \"bytes\": %lld, \"bad\": %ld, "
           "\"errors\": %ld, \"p50_ms\": %.4f, \"p99_ms\": %.4f, \"max_ms\": %.4f}\n",
           tally->done, seconds, (long long)tally->bytes, tally->bad, tally->errors,
           (double)share(tally, 0.5), (double)share(tally, 0.99),
           (double)share(tally, 1));
    fflush(stdout);
}

struct job {
    struct worker worker;
    phase prepare, work;
    pthread_barrier_t *ready, *go;
    pthread_t thread;
};

static void *job_main(void *argument)
{
    struct job *job = argument;

    job->prepare(&job->worker);
    if (channel_open(&job->worker.channel, job->worker.options) < 0) {
        fprintf(stderr, "cannot connect\n");
        exit(1);
    }
    pthread_barrier_wait(job->ready);
    pthread_barrier_wait(job->go);
    job->work(&job->worker);
    channel_close(&job->worker.channel);
    return NULL;
}

/* Prepare and connect in so many threads, say "ready" and wait for a line if there is
 * somebody to say it, then let them work, and print what they did. */
int workers_run(const struct options *options, phase prepare, phase work)
{
    int count = options->connections;
    struct job *jobs = calloc((size_t)count, sizeof *jobs);
    struct tally tally = {0};
    pthread_barrier_t ready, go;
    pthread_attr_t attributes;
    double began;

    pthread_barrier_init(&ready, NULL, (unsigned)count + 1);
    pthread_barrier_init(&go, NULL, (unsigned)count + 1);
    pthread_attr_init(&attributes);
    pthread_attr_setstacksize(&attributes, STACK);
    for (int index = 0; index < count; index++) {
        jobs[index] = (struct job){
            .worker = {.options = options, .index = index, .channel = {.fd = -1}},
            .prepare = prepare, .work = work, .ready = &ready, .go = &go,
        };
        if (pthread_create(&jobs[index].thread, &attributes, job_main, &jobs[index]))
            return 1;
    }
    pthread_barrier_wait(&ready);
    printf("ready\n");
    fflush(stdout);
    getchar();
    began = now();
    pthread_barrier_wait(&go);
    for (int index = 0; index < count; index++) {
        pthread_join(jobs[index].thread, NULL);
        tally_merge(&tally, &jobs[index].worker.tally);
    }
    tally_print(&tally, began);
    free(jobs);
    return 0;
}
