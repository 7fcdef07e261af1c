/* SPDX-License-Identifier: MIT
 *
 * Runs seeds, each in a process of its own: what aborts there is a failure of that seed alone. */
#include <getopt.h>
#include <inttypes.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/personality.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "relay/base/check.h"
#include "sim.h"
#include "world.h"

enum { SECONDS_MAX = 120, MEMORY_MAX_MB = 4096, FAULTS_TRIED = 64 };

struct options {
    uint64_t first;
    uint64_t count;
    bool has_trace;
    bool is_single;
    uint64_t without;
    unsigned jobs;
    bool is_short;    /* failures are not shrunk */
    const char *kept; /* a file of seeds that have failed once; NULL: none */
};

enum telling { TELL_NOTHING, TELL_END, TELL_ALL };

static void on_abort(int signal)
{
    trace_print_last();
    printf("ended by signal %d\n", signal);
    fflush(stdout);
    _exit(3);
}

/* ---- one seed ---- */

static void limit_child(void)
{
    struct rlimit files = {.rlim_cur = 4096, .rlim_max = 4096};
    (void)setrlimit(RLIMIT_NOFILE, &files);
    alarm(SECONDS_MAX);
    signal(SIGABRT, on_abort);
    signal(SIGSEGV, on_abort);
    signal(SIGALRM, on_abort);
}

static void run_child(uint64_t seed, uint64_t without, enum telling telling, int to)
{
    limit_child();
    trace_show(telling == TELL_ALL);
    struct world_result result;
    memset(&result, 0, sizeof result);
    world_run(seed, without, &result);
    if (!result.is_good)
        trace_print_last();
    fflush(stdout);
    if (to != -1)
        CHECK(write(to, &result, sizeof result) == sizeof result);
    _exit(0);
}

struct child {
    pid_t pid;
    uint64_t seed;
    int from;
};

static struct child start_child(uint64_t seed, uint64_t without, enum telling telling)
{
    int ends[2];
    CHECK(pipe(ends) == 0);
    fflush(stdout);
    pid_t pid = fork();
    CHECK(pid != -1);
    if (pid == 0) {
        close(ends[0]);
        if (telling == TELL_NOTHING)
            CHECK(freopen("/dev/null", "w", stdout) != NULL);
        run_child(seed, without, telling, ends[1]);
    }
    close(ends[1]);
    return (struct child){pid, seed, ends[0]};
}

static void end_child(struct child *child, struct world_result *result)
{
    memset(result, 0, sizeof *result);
    ssize_t got = read(child->from, result, sizeof *result);
    close(child->from);
    int status;
    CHECK(waitpid(child->pid, &status, 0) == child->pid);
    if (got != sizeof *result) {
        result->is_good = false;
        snprintf(result->failure, sizeof result->failure,
                 "the relay ended the process, or it took longer than %d seconds", SECONDS_MAX);
    }
    child->pid = 0;
}

static struct world_result run_seed(uint64_t seed, uint64_t without, enum telling telling)
{
    struct child child = start_child(seed, without, telling);
    struct world_result result;
    end_child(&child, &result);
    return result;
}

/* ---- shrinking ---- */

/* Leaves out one fault after the other as long as the run still fails. */
static uint64_t shrink(uint64_t seed, struct world_result *result)
{
    uint64_t without = 0;
    for (unsigned i = 0; i < FAULTS_TRIED; i++) {
        uint64_t more = without | 1ULL << i;
        struct world_result other = run_seed(seed, more, TELL_NOTHING);
        if (other.is_good || strcmp(other.kind, result->kind) != 0)
            continue;
        without = more;
        *result = other;
    }
    return without;
}

static void tell_failure(uint64_t seed, struct world_result *result)
{
    printf("seed %" PRIu64 " FAILED: %s\n", seed, result->failure);
    fflush(stdout);
    uint64_t without = shrink(seed, result);
    *result = run_seed(seed, without, TELL_END);
    printf("seed %" PRIu64 " with %u faults: %s\n  again, with all lines: make sim SEED=%" PRIu64
           " WITHOUT=%#" PRIx64 "\n",
           seed, result->faults, result->failure, seed, without);
}

/* ---- many ---- */

struct sum {
    uint64_t seeds;
    uint64_t failed;
    uint64_t faults;
    uint64_t starts;
    uint64_t steps;
    int64_t simulated_us;
};

static void add_result(struct sum *sum, uint64_t seed, struct world_result *result, bool is_short)
{
    sum->seeds++;
    sum->faults += result->faults;
    sum->starts += result->relay_starts;
    sum->steps += result->steps;
    sum->simulated_us += result->simulated_us;
    if (result->is_good)
        return;
    sum->failed++;
    if (is_short)
        printf("seed %" PRIu64 " FAILED: %s\n", seed, result->failure);
    else
        tell_failure(seed, result);
}

static int run_many(const struct options *options)
{
    enum { JOBS_MAX = 16 };
    struct child children[JOBS_MAX] = {{0}};
    unsigned jobs = options->jobs < JOBS_MAX ? options->jobs : JOBS_MAX;
    struct sum sum = {0};
    struct timespec begin;
    clock_gettime(CLOCK_MONOTONIC, &begin);
    /* In order, so that what is printed is the same each time. */
    for (uint64_t i = 0; i < options->count + jobs; i++) {
        struct child *child = &children[i % jobs];
        if (child->pid != 0) {
            struct world_result result;
            end_child(child, &result);
            add_result(&sum, child->seed, &result, options->is_short);
        }
        if (i < options->count)
            *child = start_child(options->first + i, 0, TELL_NOTHING);
    }
    struct timespec end;
    clock_gettime(CLOCK_MONOTONIC, &end);
    printf("seeds %" PRIu64 " to %" PRIu64 ": %.1f simulated hours, %" PRIu64 " faults, %" PRIu64
           " starts of the relay, %" PRIu64 " million steps, in %.1f s\n",
           options->first, options->first + options->count - 1,
           (double)sum.simulated_us / SIM_S / 3600, sum.faults, sum.starts, sum.steps / 1000000,
           (double)(end.tv_sec - begin.tv_sec) + (double)(end.tv_nsec - begin.tv_nsec) / 1e9);
    printf("%" PRIu64 " passed, %" PRIu64 " failed (simulated runs)\n", sum.seeds - sum.failed,
           sum.failed);
    return sum.failed == 0 ? EXIT_SUCCESS : EXIT_FAILURE;
}

/* A line each: SEED WITHOUT, and what it was. False: one of them fails. */
static bool run_kept(const char *path)
{
    FILE *file = fopen(path, "re");
    CHECK(file != NULL);
    char line[512];
    unsigned good = 0;
    unsigned bad = 0;
    while (fgets(line, sizeof line, file) != NULL) {
        char *end;
        uint64_t seed = strtoull(line, &end, 0);
        if (end == line)
            continue; /* a comment */
        struct world_result result = run_seed(seed, strtoull(end, NULL, 0), TELL_NOTHING);
        good += result.is_good;
        bad += !result.is_good;
        if (!result.is_good)
            printf("kept seed FAILED: %s: %s", result.failure, line);
    }
    fclose(file);
    printf("%u passed, %u failed (kept seeds)\n", good, bad);
    return bad == 0;
}

/* A seed gives the same run, to the byte. */
static int run_single(const struct options *options)
{
    struct world_result result =
        run_seed(options->first, options->without, options->has_trace ? TELL_ALL : TELL_END);
    struct world_result again = run_seed(options->first, options->without, TELL_NOTHING);
    printf("seed %" PRIu64 ": %s hash=%016" PRIx64 " steps=%" PRIu64 " faults=%u simulated=%" PRId64
           " s\n",
           options->first, result.is_good ? "good" : result.failure, result.hash, result.steps,
           result.faults, result.simulated_us / SIM_S);
    if (result.hash != again.hash)
        printf("seed %" PRIu64 ": a second run differs: hash=%016" PRIx64 "\n", options->first,
               again.hash);
    return result.is_good && result.hash == again.hash ? EXIT_SUCCESS : EXIT_FAILURE;
}

static struct options parse_options(int argc, char **argv)
{
    struct options options = {.first = 1, .count = 50, .jobs = 2};
    int option;
    while ((option = getopt(argc, argv, "f:n:s:w:j:k:tq")) != -1) {
        uint64_t number = optarg == NULL || option == 'k' ? 0 : strtoull(optarg, NULL, 0);
        switch (option) {
        case 'f':
            options.first = number;
            break;
        case 'n':
            options.count = number;
            break;
        case 's':
            options.first = number;
            options.is_single = true;
            break;
        case 'w':
            options.without = number;
            break;
        case 'j':
            options.jobs = number > 0 ? (unsigned)number : 1;
            break;
        case 'k':
            options.kept = optarg;
            break;
        case 'q':
            options.is_short = true;
            break;
        case 't':
            options.has_trace = true;
            break;
        default:
            fputs("usage: sim [-k FILE] [-f FIRST] [-n COUNT] [-j JOBS] [-q] | -s SEED [-w "
                  "WITHOUT] [-t]\n",
                  stderr);
            exit(EXIT_FAILURE);
        }
    }
    return options;
}

int main(int argc, char **argv)
{
    /* The same addresses each time, for whoever looks with a debugger. */
    int before = personality(0xffffffff);
    if (before != -1 && (before & ADDR_NO_RANDOMIZE) == 0 &&
        personality((unsigned long)before | ADDR_NO_RANDOMIZE) != -1)
        execv("/proc/self/exe", argv);
    struct options options = parse_options(argc, argv);
    bool is_good = options.kept == NULL || run_kept(options.kept);
    int status = options.is_single ? run_single(&options) : run_many(&options);
    return is_good ? status : EXIT_FAILURE;
}
