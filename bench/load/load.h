/* load: a client for registries that costs as little as it can, and a server to check it
 * against. Every mode prints one line of JSON. Only 127.0.0.1 is ever spoken to. */

#ifndef LOAD_H
#define LOAD_H

#include <openssl/ssl.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>
#include <sys/uio.h>

#define HEAD_SIZE 8192
#define MAX_TARGETS 4096
#define MIB (1024 * 1024)

/* What the command line says. */
struct options {
    int port;
    SSL_CTX *tls;         /* NULL: none */
    int connections;
    double seconds;       /* until then new work is begun; 0: until count is reached */
    long count;           /* so often for each connection; 0: until seconds are over */
    const char *method;
    const char *targets[MAX_TARGETS];
    int target_count;
    char headers[HEAD_SIZE]; /* lines, each with its end */
    long size;            /* bytes of what is uploaded */
    double rate;          /* bytes a second for each download; 0: as fast as can be */
    long ranges;          /* of a blob of so many bytes, each connection takes its part */
    bool copy;            /* whether downloads are copied out of the kernel */
    const char *flow;     /* patch, chunked, put or post */
    const char *name;     /* the repository that is pushed to */
    bool manifest;        /* whether a manifest with a tag follows each blob */
    double grace;         /* seconds for the answers that are due when time is over */
};

/* A connection. */
struct channel {
    int fd;
    SSL *ssl;
};

int channel_open(struct channel *channel, const struct options *options);
void channel_close(struct channel *channel);
void channel_unblock(struct channel *channel);
ssize_t channel_read(struct channel *channel, void *data, size_t size);
ssize_t channel_discard(struct channel *channel, void *scratch, size_t size, bool copy);
int channel_write(struct channel *channel, const struct iovec *pieces, int count);
int channel_write_bytes(struct channel *channel, const void *data, size_t size);

/* The header of an answer. */
struct answer {
    int status;
    int64_t length;       /* -1: not said */
    bool chunked;
    bool closes;
    char location[4096];  /* path and query; empty: none */
};

/* How much of an answer's body is still to come. */
struct body {
    bool chunked;
    bool done;
    int64_t left;         /* bytes of it, or of its chunk and what ends it */
    int state;
    int64_t number;
};

size_t answer_parse(const char *data, size_t size, struct answer *answer);
void body_begin(struct body *body, const struct answer *answer, bool is_head);
size_t body_feed(struct body *body, const char *data, size_t size);
int answer_read(struct channel *channel, struct answer *answer, bool is_head);

/* What threads or connections have done. */
struct tally {
    long done;
    long bad;             /* answers of another status than the one meant */
    long errors;          /* connections that broke */
    int64_t bytes;
    float *milliseconds;  /* of each that was done */
    long room;
    double last;          /* when the last was done */
};

double now(void);
void tally_add(struct tally *tally, double began, double ended);
void tally_merge(struct tally *into, struct tally *from);
void tally_print(struct tally *tally, double began);

/* Run one function in so many threads, which begin together; return when that was. */
struct worker {
    const struct options *options;
    int index;
    struct channel channel;
    struct tally tally;
    void *own;
};

typedef void (*phase)(struct worker *worker);
int workers_run(const struct options *options, phase prepare, phase work);

int requests_main(const struct options *options);
int downloads_main(const struct options *options);
int uploads_main(const struct options *options);
int idle_main(const struct options *options);
int serve_main(const struct options *options);

#endif
