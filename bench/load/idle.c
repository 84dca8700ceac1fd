/* Idle: connections that have asked once and are kept open. */

#include "load.h"

#include <stdio.h>
#include <stdlib.h>

int idle_main(const struct options *options)
{
    struct channel *channels = calloc((size_t)options->connections, sizeof *channels);
    char text[2 * HEAD_SIZE];
    int bad = 0;

    int size = snprintf(text, sizeof text, "GET %s HTTP/1.1\r\nHost: 127.0.0.1\r\n%s\r\n",
                        options->targets[0], options->headers);
    for (int index = 0; index < options->connections; index++) {
        struct answer answer;
        if (channel_open(&channels[index], options) < 0 ||
            channel_write_bytes(&channels[index], text, (size_t)size) < 0 ||
            answer_read(&channels[index], &answer, false) < 0) {
            perror("cannot ask");
            return 1;
        }
        bad += answer.status != 200;
    }
    printf("ready\n");
    fflush(stdout);
    getchar();
    printf("{\"done\": %d, \"seconds\": 0, \"bytes\": 0, \"bad\": %d, \"errors\": 0, "
           "\"p50_ms\": 0, \"p99_ms\": 0, \"max_ms\": 0}\n", options->connections, bad);
    return 0;
}
