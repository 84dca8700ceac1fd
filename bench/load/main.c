/* Main: the command line.
 *
 * load MODE --port P [--tls] [--connections N] [--seconds S] [--count C] [--header H]…
 *   requests   --target T… [--method M] [--grace S]
 *   downloads  --target T [--rate B] [--ranges SIZE] [--copy]
 *   uploads    --name REPOSITORY --size B [--flow patch|chunked|put|post] [--manifest]
 *   idle       --target T
 *   serve
 *
 * When all is prepared and connected it prints "ready", waits for a line, and begins. */

#include "load.h"

#include <getopt.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>

enum { PORT = 1, TLS, CONNECTIONS, SECONDS, COUNT, HEADER, TARGET, METHOD,
       RATE, RANGES, COPY, NAME, SIZE, FLOW, MANIFEST, GRACE };

static const struct option known[] = {
    {"port", required_argument, NULL, PORT},
    {"tls", no_argument, NULL, TLS},
    {"connections", required_argument, NULL, CONNECTIONS},
    {"seconds", required_argument, NULL, SECONDS},
    {"count", required_argument, NULL, COUNT},
    {"header", required_argument, NULL, HEADER},
    {"target", required_argument, NULL, TARGET},
    {"method", required_argument, NULL, METHOD},
    {"rate", required_argument, NULL, RATE},
    {"ranges", required_argument, NULL, RANGES},
    {"copy", no_argument, NULL, COPY},
    {"name", required_argument, NULL, NAME},
    {"size", required_argument, NULL, SIZE},
    {"flow", required_argument, NULL, FLOW},
    {"manifest", no_argument, NULL, MANIFEST},
    {"grace", required_argument, NULL, GRACE},
    {NULL, 0, NULL, 0},
};

static void add_header(struct options *options, const char *line)
{
    size_t used = strlen(options->headers);

    if (used + strlen(line) + 3 > sizeof options->headers) {
        fprintf(stderr, "too many headers\n");
        exit(2);
    }
    sprintf(options->headers + used, "%s\r\n", line);
}

static void add_target(struct options *options, const char *target)
{
    if (options->target_count == MAX_TARGETS) {
        fprintf(stderr, "too many targets\n");
        exit(2);
    }
    options->targets[options->target_count++] = target;
}

static void take(struct options *options, int what)
{
    switch (what) {
    case PORT: options->port = atoi(optarg); break;
    case TLS: options->tls = SSL_CTX_new(TLS_client_method()); break;
    case CONNECTIONS: options->connections = atoi(optarg); break;
    case SECONDS: options->seconds = atof(optarg); break;
    case COUNT: options->count = atol(optarg); break;
    case HEADER: add_header(options, optarg); break;
    case TARGET: add_target(options, optarg); break;
    case METHOD: options->method = optarg; break;
    case RATE: options->rate = atof(optarg); break;
    case RANGES: options->ranges = atol(optarg); break;
    case COPY: options->copy = true; break;
    case NAME: options->name = optarg; break;
    case SIZE: options->size = atol(optarg); break;
    case FLOW: options->flow = optarg; break;
    case MANIFEST: options->manifest = true; break;
    case GRACE: options->grace = atof(optarg); break;
    default: exit(2);
    }
}

static void allow_many_files(void)
{
    struct rlimit limit;

    getrlimit(RLIMIT_NOFILE, &limit);
    limit.rlim_cur = limit.rlim_max;
    setrlimit(RLIMIT_NOFILE, &limit);
}

int main(int argc, char **argv)
{
    static struct options options = {
        .connections = 1, .method = "GET", .flow = "patch", .name = "load", .size = 1024,
        .grace = 60};
    const char *mode = argc > 1 ? argv[1] : "";
    int what;

    optind = 2;
    while ((what = getopt_long(argc, argv, "", known, NULL)) != -1)
        take(&options, what);
    allow_many_files();
    signal(SIGPIPE, SIG_IGN);
    if (strcmp(mode, "serve") == 0)
        return serve_main(&options);
    if (strcmp(mode, "uploads") == 0)
        return uploads_main(&options);
    if (options.target_count == 0) {
        fprintf(stderr, "load: a mode and a --target are needed\n");
        return 2;
    }
    if (strcmp(mode, "requests") == 0)
        return requests_main(&options);
    if (strcmp(mode, "downloads") == 0)
        return downloads_main(&options);
    if (strcmp(mode, "idle") == 0)
        return idle_main(&options);
    fprintf(stderr, "load: no mode %s\n", mode);
    return 2;
}
