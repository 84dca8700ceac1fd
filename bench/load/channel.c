/* Channel: a connection to 127.0.0.1, plain or TLS. */

#include "load.h"

#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/time.h>
#include <unistd.h>

#define PATIENCE 120 /* seconds for each read and write */

int channel_open(struct channel *channel, const struct options *options)
{
    struct sockaddr_in address = {
        .sin_family = AF_INET,
        .sin_port = htons((uint16_t)options->port),
        .sin_addr.s_addr = htonl(INADDR_LOOPBACK),
    };
    struct timeval patience = {.tv_sec = PATIENCE};
    int on = 1;

    channel->ssl = NULL;
    channel->fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    if (channel->fd < 0)
        return -1;
    setsockopt(channel->fd, SOL_SOCKET, SO_RCVTIMEO, &patience, sizeof patience);
    setsockopt(channel->fd, SOL_SOCKET, SO_SNDTIMEO, &patience, sizeof patience);
    setsockopt(channel->fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof on);
    if (connect(channel->fd, (struct sockaddr *)&address, sizeof address) < 0) {
        channel_close(channel);
        return -1;
    }
    if (options->tls != NULL) {
        channel->ssl = SSL_new(options->tls);
        SSL_set_fd(channel->ssl, channel->fd);
        if (SSL_connect(channel->ssl) != 1) {
            channel_close(channel);
            return -1;
        }
    }
    return 0;
}

void channel_close(struct channel *channel)
{
    if (channel->ssl != NULL)
        SSL_free(channel->ssl);
    if (channel->fd >= 0)
        close(channel->fd);
    channel->ssl = NULL;
    channel->fd = -1;
}

void channel_unblock(struct channel *channel)
{
    fcntl(channel->fd, F_SETFL, fcntl(channel->fd, F_GETFL) | O_NONBLOCK);
}

/* Return what recv returns; -1 with EAGAIN if there is nothing yet. */
ssize_t channel_read(struct channel *channel, void *data, size_t size)
{
    int got;

    if (channel->ssl == NULL)
        return recv(channel->fd, data, size, 0);
    got = SSL_read(channel->ssl, data, size > INT32_MAX ? INT32_MAX : (int)size);
    if (got > 0)
        return got;
    switch (SSL_get_error(channel->ssl, got)) {
    case SSL_ERROR_WANT_READ:
    case SSL_ERROR_WANT_WRITE:
        errno = EAGAIN;
        return -1;
    case SSL_ERROR_ZERO_RETURN:
        return 0;
    default:
        errno = ECONNRESET;
        return -1;
    }
}

/* Read and forget; without TLS the bytes need not leave the kernel. */
ssize_t channel_discard(struct channel *channel, void *scratch, size_t size, bool copy)
{
    if (channel->ssl != NULL || copy)
        return channel_read(channel, scratch, size < MIB ? size : MIB);
    return recv(channel->fd, NULL, size, MSG_TRUNC);
}

static int write_tls(SSL *ssl, const struct iovec *pieces, int count)
{
    static __thread char gathered[128 * 1024]; /* so that few records are made */
    size_t used = 0;

    for (int index = 0; index < count; index++) {
        const char *data = pieces[index].iov_base;
        size_t left = pieces[index].iov_len;
        while (left > 0) {
            size_t part = sizeof gathered - used;
            if (part > left)
                part = left;
            memcpy(gathered + used, data, part);
            data += part, left -= part, used += part;
            if (used == sizeof gathered) {
                if (SSL_write(ssl, gathered, (int)used) <= 0)
                    return -1;
                used = 0;
            }
        }
    }
    return used == 0 || SSL_write(ssl, gathered, (int)used) > 0 ? 0 : -1;
}

/* Write all of some pieces; 0, or -1 if the connection broke. */
int channel_write(struct channel *channel, const struct iovec *pieces, int count)
{
    struct iovec left[8];
    struct msghdr message = {.msg_iov = left, .msg_iovlen = (size_t)count};

    if (channel->ssl != NULL)
        return write_tls(channel->ssl, pieces, count);
    memcpy(left, pieces, (size_t)count * sizeof *pieces);
    while (message.msg_iovlen > 0) {
        ssize_t sent = sendmsg(channel->fd, &message, MSG_NOSIGNAL);
        if (sent < 0)
            return -1;
        while (message.msg_iovlen > 0 && (size_t)sent >= message.msg_iov->iov_len) {
            sent -= (ssize_t)message.msg_iov->iov_len;
            message.msg_iov++, message.msg_iovlen--;
        }
        if (message.msg_iovlen > 0) {
            message.msg_iov->iov_base = (char *)message.msg_iov->iov_base + sent;
            message.msg_iov->iov_len -= (size_t)sent;
        }
    }
    return 0;
}

int channel_write_bytes(struct channel *channel, const void *data, size_t size)
{
    struct iovec piece = {.iov_base = (void *)data, .iov_len = size};

    return channel_write(channel, &piece, 1);
}
