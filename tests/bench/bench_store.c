/* SPDX-License-Identifier: MIT
 *
 * What the store costs: CRC-64, appending beside a plain write of the same bytes to the same file
 * system, and starting on a large window. `make bench-store`, with SIZE_GB=10 and DIR=build/bench.
 *
 * Machines are shared and noisy: what is compared is measured in turn, in one run, and told as a ratio
 * of medians.
 */
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "relay/base/check.h"
#include "relay/base/crc64.h"
#include "relay/base/log.h"
#include "relay/os/random.h"
#include "relay/store/store.h"

enum { RUNS = 5, PIECE = BACKLOG_APPEND_MAX, MEGABYTE = 1024 * 1024, PATH_LENGTH = 512 };

#define GIGABYTE (1024.0 * 1024.0 * 1024.0)

static uint8_t piece[MEGABYTE];

static double seconds(void)
{
    struct timespec now;
    clock_gettime(CLOCK_MONOTONIC, &now);
    return (double)now.tv_sec + (double)now.tv_nsec / 1e9;
}

static int ascending(const void *a, const void *b)
{
    double x = *(const double *)a;
    double y = *(const double *)b;
    return (x > y) - (x < y);
}

static double median(double values[RUNS])
{
    qsort(values, RUNS, sizeof(values[0]), ascending);
    return values[RUNS / 2];
}

/* ------------------------------------------------------------------ CRC-64 */

typedef uint64_t crc_fn(uint64_t crc, const void *data, size_t length);

static double crc_speed(crc_fn *crc)
{
    enum { ROUNDS = 500 };
    volatile uint64_t sum = 0;
    double start = seconds();
    for (int i = 0; i < ROUNDS; i++)
        sum = crc(sum, piece, sizeof(piece));
    return ROUNDS * (double)sizeof(piece) / GIGABYTE / (seconds() - start);
}

static void bench_crc(void)
{
    double fast[RUNS];
    double tables[RUNS];
    for (int i = 0; i < RUNS; i++) {
        fast[i] = crc_speed(crc64);
        tables[i] = crc_speed(crc64_portable);
    }
    printf("crc64                  %8.2f GB/s\n", median(fast));
    printf("crc64, tables alone    %8.2f GB/s\n", median(tables));
}

/* ------------------------------------------------------------------ a store */

static struct store *open_store(const char *directory, double gigabytes)
{
    uint64_t window = (uint64_t)(gigabytes * GIGABYTE) + 1;
    struct store_options options = {
        .data_dir = directory,
        .window_bytes = window,
        .window_bytes_max = window * 2,
        .segment_bytes = 64 * MEGABYTE,
        .fsync = STORE_FSYNC_NO,
    };
    struct text why;
    text_init(&why, 1024);
    struct store *store = store_open(&options, &why);
    if (store == NULL) {
        fprintf(stderr, "bench-store: %s\n", text_string(&why));
        exit(EXIT_FAILURE);
    }
    text_fini(&why);
    return store;
}

/* The smallest history there is: an RDB without keys. */
static void begin_history(struct store *store)
{
    uint8_t rdb[18] = "REDIS0009\xff";
    uint64_t crc = crc64(0, rdb, 10);
    for (int i = 0; i < 8; i++)
        rdb[10 + i] = (uint8_t)(crc >> (8 * i));
    struct replid replid;
    random_hex(replid.hex, REPLID_DIGITS);
    struct text why;
    text_init(&why, 1024);
    struct history *history = store_begin_history(store, &replid, 0, &why);
    CHECK(history != NULL);
    struct snapshot *snapshot = history_arriving_snapshot(history);
    CHECK(snapshot_write(snapshot, bytes_at(rdb, sizeof(rdb)), &why));
    while (snapshot_owes(snapshot)) {
        (void)store_publish(store);
        CHECK(snapshot_write_owed(snapshot, &why));
    }
    enum disk_step step;
    do
        step = store_promote(store, &why);
    while (step == DISK_STEP_PENDING);
    CHECK(step == DISK_STEP_DONE);
    text_fini(&why);
}

/* As the stream receiver does it: published once a piece. */
static void append(struct store *store, double gigabytes)
{
    struct history *history = store_current(store);
    uint64_t end = history_end(history) + (uint64_t)(gigabytes * GIGABYTE);
    while (history_end(history) < end) {
        if (history_make_ready(history) != BACKLOG_SPACE)
            continue; /* the next segment is being made */
        (void)history_append(history, bytes_at(piece, PIECE));
        history_set_boundary(history, history_end(history));
        store_publish(store);
    }
}

static void remove_tree(const char *directory)
{
    pid_t child = fork();
    if (child == 0) {
        execlp("rm", "rm", "-rf", directory, (char *)NULL);
        _exit(127);
    }
    int status;
    CHECK(child > 0 && waitpid(child, &status, 0) == child && status == 0);
}

/* ------------------------------------------------------------------ append beside write(2) */

static double write_speed(const char *directory, double gigabytes)
{
    char path[PATH_LENGTH];
    snprintf(path, sizeof(path), "%s/plain", directory);
    int file = open(path, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);
    CHECK(file != -1);
    double start = seconds();
    for (double left = gigabytes * GIGABYTE; left > 0; left -= PIECE)
        CHECK(write(file, piece, PIECE) == PIECE);
    double speed = gigabytes / (seconds() - start);
    close(file);
    CHECK(unlink(path) == 0);
    return speed;
}

static double append_speed(const char *directory, double gigabytes)
{
    char path[PATH_LENGTH];
    snprintf(path, sizeof(path), "%s/append", directory);
    struct store *store = open_store(path, gigabytes);
    begin_history(store);
    double start = seconds();
    append(store, gigabytes);
    double speed = gigabytes / (seconds() - start);
    store_close(&store);
    remove_tree(path);
    return speed;
}

static void bench_append(const char *directory)
{
    const double gigabytes = 1;
    double plain[RUNS];
    double ours[RUNS];
    for (int i = 0; i < RUNS; i++) {
        plain[i] = write_speed(directory, gigabytes);
        ours[i] = append_speed(directory, gigabytes);
    }
    double plain_speed = median(plain);
    double our_speed = median(ours);
    printf("write(2)               %8.2f GB/s\n", plain_speed);
    printf("append and publish     %8.2f GB/s   %.2f x write(2)\n", our_speed,
           our_speed / plain_speed);
}

/* ------------------------------------------------------------------ starting on a large window */

static void bench_start(const char *directory, double gigabytes)
{
    char path[PATH_LENGTH];
    snprintf(path, sizeof(path), "%s/start", directory);
    pid_t child = fork();
    if (child == 0) {
        struct store *store = open_store(path, gigabytes);
        begin_history(store);
        append(store, gigabytes);
        _exit(EXIT_SUCCESS); /* as a killed relay ends: nothing is closed */
    }
    int status;
    CHECK(child > 0 && waitpid(child, &status, 0) == child && status == 0);

    double start = seconds();
    struct store *store = open_store(path, gigabytes);
    double took = seconds() - start;
    CHECK(store_current(store) != NULL);
    const struct history *history = store_current(store);
    double held = (double)(history_end(history) - history_first(history)) / GIGABYTE;
    printf("start on %5.1f GB       %8.2f s      %.2f GB/s, every segment checked\n", held, took,
           held / took);
    store_close(&store);
    remove_tree(path);
}

int main(int argc, char **argv)
{
    if (argc != 3) {
        fprintf(stderr, "usage: bench_store DIRECTORY GIGABYTES\n");
        return EXIT_FAILURE;
    }
    if (mkdir(argv[1], 0700) == -1 && errno != EEXIST) {
        perror(argv[1]);
        return EXIT_FAILURE;
    }
    log_set_level(LOG_LEVEL_WARNING);
    for (size_t i = 0; i < sizeof(piece); i++)
        piece[i] = (uint8_t)random_below(256);
    bench_crc();
    bench_append(argv[1]);
    bench_start(argv[1], strtod(argv[2], NULL));
    return EXIT_SUCCESS;
}
