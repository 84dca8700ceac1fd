/* Serve: the least that a server can do, to see what the client can take.
 *
 * GET /bytes/N is answered with N bytes, any other GET with those of a small manifest,
 * HEAD without; what is posted, patched or put is read and forgotten. */

#define _GNU_SOURCE
#include "load.h"

#include <arpa/inet.h>
#include <errno.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <sys/epoll.h>
#include <sys/mman.h>
#include <sys/sendfile.h>
#include <sys/socket.h>
#include <unistd.h>

#define SMALL 520
#define FILE_SIZE (64 * MIB)

struct peer {
    int fd;
    char head[HEAD_SIZE];
    size_t used;
    struct body body;     /* of the request */
    bool in_body;
    char method[8];
    int64_t left;         /* to be sent */
};

static int epoll, content;

static void watch(struct peer *peer, int operation, uint32_t events)
{
    struct epoll_event event = {.events = events, .data.ptr = peer};

    epoll_ctl(epoll, operation, peer->fd, &event);
}

static void drop(struct peer *peer)
{
    close(peer->fd);
    free(peer);
}

static void send_rest(struct peer *peer)
{
    while (peer->left > 0) {
        off_t start = 0;
        size_t part = peer->left < FILE_SIZE ? (size_t)peer->left : FILE_SIZE;
        ssize_t sent = sendfile(peer->fd, content, &start, part);
        if (sent <= 0) {
            watch(peer, EPOLL_CTL_MOD, EPOLLIN | EPOLLOUT);
            return;
        }
        peer->left -= sent;
    }
    watch(peer, EPOLL_CTL_MOD, EPOLLIN);
}

static void reply(struct peer *peer)
{
    static const char small[SMALL + 1] = {0};
    char text[1024 + SMALL];
    bool get = strcmp(peer->method, "GET") == 0, head = strcmp(peer->method, "HEAD") == 0;
    const char *bytes = get ? strstr(peer->head, " /bytes/") : NULL;
    int64_t length = bytes ? atoll(bytes + 8) : get || head ? SMALL : 0;
    const char *status = get || head                        ? "200 OK"
                         : strcmp(peer->method, "PUT") == 0 ? "201 Created"
                                                            : "202 Accepted";
    int size = snprintf(text, sizeof text - SMALL,
                        "HTTP/1.1 %s\r\nServer: least\r\nContent-Type: "
                        "application/vnd.oci.image.manifest.v1+json\r\n"
                        "Docker-Distribution-Api-Version: registry/2.0\r\n"
                        "Location: /v2/a/blobs/uploads/1?a=b\r\n"
                        "Content-Length: %lld\r\n\r\n", status, (long long)length);

    if (get && bytes == NULL) {
        memcpy(text + size, small, SMALL);
        size += SMALL;
    }
    if (send(peer->fd, text, (size_t)size, MSG_NOSIGNAL) != size)
        return;
    peer->left = bytes ? length : 0;
    if (peer->left > 0)
        send_rest(peer);
}

static void begin_body(struct peer *peer, size_t head)
{
    struct answer framing;
    struct answer request = {.status = 200, .length = -1};

    /* The header of a request differs from that of an answer in its first line. */
    answer_parse(peer->head, head, &framing);
    request.length = framing.length;
    request.chunked = framing.chunked;
    body_begin(&peer->body, &request, false);
    sscanf(peer->head, "%7s", peer->method);
    peer->in_body = true;
}

static size_t take_head(struct peer *peer, const char *data, size_t size)
{
    size_t before = peer->used, part = sizeof peer->head - 1 - before;
    char *end;

    if (part > size)
        part = size;
    memcpy(peer->head + before, data, part);
    peer->used += part;
    peer->head[peer->used] = 0;
    end = memmem(peer->head, peer->used, "\r\n\r\n", 4);
    if (end == NULL)
        return part;
    *(end + 2) = 0;
    memcpy(end, "\r\n\r\n", 4);
    begin_body(peer, (size_t)(end + 4 - peer->head));
    return (size_t)(end + 4 - peer->head) - before;
}

static void on_readable(struct peer *peer)
{
    static char data[256 * 1024];
    ssize_t got = recv(peer->fd, data, sizeof data, MSG_DONTWAIT);
    size_t used = 0;

    if (got < 0 && errno == EAGAIN)
        return;
    if (got <= 0) {
        drop(peer);
        return;
    }
    while (used < (size_t)got) {
        if (!peer->in_body)
            used += take_head(peer, data + used, (size_t)got - used);
        if (!peer->in_body)
            return;
        used += body_feed(&peer->body, data + used, (size_t)got - used);
        if (!peer->body.done)
            return;
        reply(peer);
        peer->in_body = false;
        peer->used = 0;
    }
}

static void on_connection(int listener)
{
    struct peer *peer = calloc(1, sizeof *peer);
    int on = 1;

    peer->fd = accept4(listener, NULL, NULL, SOCK_NONBLOCK | SOCK_CLOEXEC);
    if (peer->fd < 0) {
        free(peer);
        return;
    }
    setsockopt(peer->fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof on);
    watch(peer, EPOLL_CTL_ADD, EPOLLIN);
}

static int listen_on(int port)
{
    struct sockaddr_in address = {
        .sin_family = AF_INET,
        .sin_port = htons((uint16_t)port),
        .sin_addr.s_addr = htonl(INADDR_LOOPBACK),
    };
    int on = 1, listener = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);

    setsockopt(listener, SOL_SOCKET, SO_REUSEADDR, &on, sizeof on);
    if (bind(listener, (struct sockaddr *)&address, sizeof address) < 0 ||
        listen(listener, 4096) < 0) {
        perror("cannot listen");
        exit(1);
    }
    return listener;
}

int serve_main(const struct options *options)
{
    struct epoll_event events[256], event = {.events = EPOLLIN};
    int listener = listen_on(options->port);

    content = memfd_create("bytes", MFD_CLOEXEC);
    if (ftruncate(content, FILE_SIZE) < 0)
        return 1;
    epoll = epoll_create1(EPOLL_CLOEXEC);
    epoll_ctl(epoll, EPOLL_CTL_ADD, listener, &event);
    for (;;) {
        int count = epoll_wait(epoll, events, 256, -1);
        for (int index = 0; index < count; index++) {
            struct peer *peer = events[index].data.ptr;
            if (peer == NULL)
                on_connection(listener);
            else if (events[index].events & EPOLLOUT)
                send_rest(peer);
            else
                on_readable(peer);
        }
    }
}
