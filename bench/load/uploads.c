/* Uploads: clients that each push blobs, no two of them the same. */

#define _GNU_SOURCE
#include "load.h"

#include <openssl/evp.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/random.h>

#define CHUNK (32 * 1024) /* what docker sends at once */
#define STAMP 16
#define BLOCKS 8
#define OCTETS "Content-Type: application/octet-stream\r\n"

/* A content is made of units of 1 MiB: a stamp that no other unit has, then bytes of
 * one of a few random blocks. */
struct content {
    uint64_t id;
    char digest[80];
};

struct pusher {
    struct content *contents; /* prepared; NULL: made as they are needed */
    uint64_t next;
};

static char blocks[BLOCKS][MIB];

static size_t stamp_of(uint64_t id, int64_t offset, char *stamp)
{
    uint64_t unit = (uint64_t)(offset / MIB);

    memcpy(stamp, &id, 8);
    memcpy(stamp + 8, &unit, 8);
    return STAMP;
}

/* Name up to size bytes at an offset, all of one unit, as one or two pieces. */
static int pieces_at(uint64_t id, int64_t offset, int64_t size, char *stamp,
                     struct iovec *pieces, int64_t *taken)
{
    int64_t inside = offset % MIB, room = MIB - inside;
    int count = 0;

    *taken = size < room ? size : room;
    if (inside < STAMP) {
        int64_t part = STAMP - inside < *taken ? STAMP - inside : *taken;
        stamp_of(id, offset, stamp);
        pieces[count++] = (struct iovec){stamp + inside, (size_t)part};
        inside += part;
    }
    if (inside < offset % MIB + *taken)
        pieces[count++] = (struct iovec){
            blocks[(offset / MIB) % BLOCKS] + inside,
            (size_t)(offset % MIB + *taken - inside),
        };
    return count;
}

static void hex_of(const unsigned char *raw, char *digest)
{
    digest += sprintf(digest, "sha256:");
    for (int index = 0; index < 32; index++)
        digest += sprintf(digest, "%02x", raw[index]);
}

static void make_content(struct content *content, uint64_t id, int64_t size)
{
    EVP_MD_CTX *hash = EVP_MD_CTX_new();
    unsigned char raw[EVP_MAX_MD_SIZE];
    int64_t taken;

    content->id = id;
    EVP_DigestInit_ex(hash, EVP_sha256(), NULL);
    for (int64_t offset = 0; offset < size; offset += taken) {
        char stamp[STAMP];
        struct iovec pieces[2];
        int count = pieces_at(id, offset, size - offset, stamp, pieces, &taken);
        for (int index = 0; index < count; index++)
            EVP_DigestUpdate(hash, pieces[index].iov_base, pieces[index].iov_len);
    }
    EVP_DigestFinal_ex(hash, raw, NULL);
    EVP_MD_CTX_free(hash);
    hex_of(raw, content->digest);
}

static int send_content(struct worker *worker, const struct content *content,
                        bool chunked)
{
    int64_t size = worker->options->size, taken;

    for (int64_t offset = 0; offset < size; offset += taken) {
        struct iovec pieces[4];
        char stamp[STAMP], line[32];
        int64_t most = size - offset;
        if (chunked && most > CHUNK)
            most = CHUNK;
        int count = pieces_at(content->id, offset, most, stamp, pieces + 1, &taken);
        if (!chunked) {
            if (channel_write(&worker->channel, pieces + 1, count) < 0)
                return -1;
            continue;
        }
        pieces[0] = (struct iovec){
            line, (size_t)snprintf(line, sizeof line, "%llx\r\n", (long long)taken)};
        pieces[count + 1] = (struct iovec){"\r\n", 2};
        if (channel_write(&worker->channel, pieces, count + 2) < 0)
            return -1;
    }
    return chunked ? channel_write_bytes(&worker->channel, "0\r\n\r\n", 5) : 0;
}

/* Send a request and read its answer; 0, or -1 if it is not what was meant.
 * A length below zero says that the content is sent in chunks. */
static int ask(struct worker *worker, const char *method, const char *target,
               const char *type, int64_t length, const struct content *content,
               int meant, struct answer *answer)
{
    char head[3 * HEAD_SIZE], framing[64] = "Transfer-Encoding: chunked\r\n";
    int size;

    if (length >= 0)
        snprintf(framing, sizeof framing, "Content-Length: %lld\r\n",
                 (long long)length);
    size = snprintf(head, sizeof head,
                    "%s %s HTTP/1.1\r\nHost: 127.0.0.1:%d\r\n%s%s%s\r\n", method, target,
                    worker->options->port, worker->options->headers, type, framing);
    if (channel_write_bytes(&worker->channel, head, (size_t)size) < 0 ||
        (content != NULL && send_content(worker, content, length < 0) < 0) ||
        answer_read(&worker->channel, answer, false) < 0) {
        worker->tally.errors++;
        return -1;
    }
    if (answer->status != meant) {
        worker->tally.bad++;
        return -1;
    }
    return 0;
}

static int push_blob(struct worker *worker, const struct content *content)
{
    const struct options *options = worker->options;
    const char *flow = options->flow;
    struct answer answer;
    char target[HEAD_SIZE];
    bool whole = strcmp(flow, "put") == 0;

    snprintf(target, sizeof target, "/v2/%s/blobs/uploads/", options->name);
    if (strcmp(flow, "post") == 0) {
        strcat(target, "?digest=");
        strcat(target, content->digest);
        return ask(worker, "POST", target, OCTETS, options->size, content, 201, &answer);
    }
    if (ask(worker, "POST", target, "", 0, NULL, 202, &answer) < 0)
        return -1;
    if (!whole) {
        int64_t length = strcmp(flow, "chunked") == 0 ? -1 : options->size;
        snprintf(target, sizeof target, "%s", answer.location);
        if (ask(worker, "PATCH", target, OCTETS, length, content, 202, &answer) < 0)
            return -1;
    }
    snprintf(target, sizeof target, "%s%cdigest=%s", answer.location,
             strchr(answer.location, '?') ? '&' : '?', content->digest);
    return ask(worker, "PUT", target, whole ? OCTETS : "", whole ? options->size : 0,
               whole ? content : NULL, 201, &answer);
}

/* Push a manifest that names the blob twice, by a tag of its own. */
static int push_manifest(struct worker *worker, const struct content *content)
{
    const char *type = "application/vnd.oci.image.manifest.v1+json";
    char target[HEAD_SIZE], head[3 * HEAD_SIZE], body[2048];
    struct answer answer;
    int size, length;

    length = snprintf(
        body, sizeof body,
        "{\"schemaVersion\":2,\"mediaType\":\"%s\",\"config\":{\"mediaType\":"
        "\"application/vnd.oci.image.config.v1+json\",\"digest\":\"%s\",\"size\":%ld},"
        "\"layers\":[{\"mediaType\":\"application/vnd.oci.image.layer.v1.tar\","
        "\"digest\":\"%s\",\"size\":%ld}]}",
        type, content->digest, worker->options->size, content->digest,
        worker->options->size);
    snprintf(target, sizeof target, "/v2/%s/manifests/t%016llx", worker->options->name,
             (unsigned long long)content->id);
    size = snprintf(head, sizeof head,
                    "PUT %s HTTP/1.1\r\nHost: 127.0.0.1:%d\r\n%sContent-Type: %s\r\n"
                    "Content-Length: %d\r\n\r\n%s",
                    target, worker->options->port, worker->options->headers, type,
                    length, body);
    if (channel_write_bytes(&worker->channel, head, (size_t)size) < 0 ||
        answer_read(&worker->channel, &answer, false) < 0) {
        worker->tally.errors++;
        return -1;
    }
    if (answer.status != 201) {
        worker->tally.bad++;
        return -1;
    }
    return 0;
}

static void prepare(struct worker *worker)
{
    const struct options *options = worker->options;
    struct pusher *pusher = calloc(1, sizeof *pusher);

    worker->own = pusher;
    if (getrandom(&pusher->next, sizeof pusher->next, 0) < 0)
        abort();
    if (options->count == 0)
        return;
    pusher->contents = calloc((size_t)options->count, sizeof *pusher->contents);
    for (long number = 0; number < options->count; number++)
        make_content(&pusher->contents[number], pusher->next++, options->size);
}

static void work(struct worker *worker)
{
    const struct options *options = worker->options;
    struct pusher *pusher = worker->own;
    double end = now() + options->seconds;

    for (long number = 0; options->count == 0 || number < options->count; number++) {
        struct content made, *content = pusher->contents + number;
        double began = now();
        if (options->seconds > 0 && began >= end)
            break;
        if (pusher->contents == NULL) {
            make_content(&made, pusher->next++, options->size);
            content = &made;
        }
        if (push_blob(worker, content) < 0 ||
            (options->manifest && push_manifest(worker, content) < 0))
            break;
        worker->tally.bytes += options->size;
        tally_add(&worker->tally, began, now());
    }
    free(pusher->contents);
    free(pusher);
}

int uploads_main(const struct options *options)
{
    char *data = blocks[0];

    for (size_t used = 0; used < sizeof blocks;) {
        ssize_t got = getrandom(data + used, sizeof blocks - used, 0);
        if (got < 0)
            return 1;
        used += (size_t)got;
    }
    return workers_run(options, prepare, work);
}
