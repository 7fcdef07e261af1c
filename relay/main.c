/* SPDX-License-Identifier: MIT
 *
 * The command line. */
#include <getopt.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "examine.h"
#include "relay.h"
#include "relay/base/check.h"
#include "relay/base/clock.h"
#include "relay/base/log.h"
#include "relay/base/text.h"
#include "relay/config/config.h"
#include "relay/restore/restore.h"
#include "relay/store/verify.h"

enum {
    TABLE_LENGTH_MAX = 64 * 1024 * 1024,
    NOTES_MAX = 64 * 1024,
    PROGRESS_MS = 200,
    PROGRESS_LINE_MS = 5000,
};

enum job { JOB_RUN, JOB_CHECK, JOB_PRINT_CONFIG, JOB_VERIFY };

struct options {
    enum job job;
    const char *file;     /* NULL: none */
    const char *data_dir; /* to verify */
    char **overrides;     /* copies: what is secret in them is not left in argv */
    size_t override_count;
};

static const char usage[] =
    "usage: psync-relay [-c FILE] [--set SECTION.KEY=VALUE]... [--check | --print-config]\n"
    "       psync-relay --verify DIR\n"
    "       psync-relay restore --help\n"
    "       psync-relay archive --help\n"
    "\n"
    "A replication relay for Redis and Valkey: one replica to the primary, the primary of many.\n"
    "\n"
    "  -c, --config FILE        read the settings from this ini\n"
    "  --set SECTION.KEY=VALUE  set one on top of it, as in: --set downstream.port=6381\n"
    "  --check                  say \"ok\", or all that a start would refuse, and end\n"
    "  --print-config           print all settings as an ini, without secrets, and end\n"
    "  --verify DIR             read all of a data directory, say in a table what is proven, and "
    "end\n"
    "  --version                print the version and end\n"
    "  --help                   print this and end\n"
    "\n"
    "restore writes the data of a moment from a data directory or an archive, as files that a\n"
    "server loads. archive lists and prunes an archive.\n"
    "\n"
    "At the least: psync-relay --set upstream.replicaof=\"HOST PORT\" --set relay.data-dir=DIR\n"
    "SIGTERM and SIGINT end it in order; SIGHUP makes it read its settings and certificates\n"
    "again, and open its log file again, which is all that SIGUSR1 does. A password is better\n"
    "kept in a file than in --set, where it is seen until the start has read it.\n";

static _Noreturn void main_finish(const char *text)
{
    bool written = fputs(text, stdout) >= 0 && fflush(stdout) == 0;
    exit(written ? EXIT_SUCCESS : EXIT_FAILURE);
}

static _Noreturn void misused(const char *text, const char *argument)
{
    if (text != NULL)
        fprintf(stderr, "psync-relay: %s: %s\n", argument, text);
    fputs("See psync-relay --help.\n", stderr);
    exit(EXIT_FAILURE);
}

/* /proc/PID/cmdline and a core dump show argv to others. */
static void hide_value(char *override_string)
{
    char *value = strchr(override_string, '=');
    if (value == NULL || !config_override_is_secret(override_string))
        return;
    value++;
    size_t length = strlen(value);
    explicit_bzero(value, length);
    memcpy(value, "***", length < 3 ? length : 3);
}

static void take_override(struct options *options, char *argument)
{
    char *copy = strdup(argument);
    CHECK(copy != NULL);
    options->overrides[options->override_count++] = copy;
    hide_value(argument);
}

static void forget_overrides(struct options *options)
{
    for (size_t i = 0; i < options->override_count; i++) {
        explicit_bzero(options->overrides[i], strlen(options->overrides[i]));
        free(options->overrides[i]);
    }
    free(options->overrides);
    options->overrides = NULL;
    options->override_count = 0;
}

static struct options parse_options(int argc, char **argv)
{
    enum { OPTION_SET = 256, OPTION_CHECK, OPTION_PRINT_CONFIG, OPTION_VERIFY, OPTION_VERSION };
    static const struct option names[] = {
        {"config", required_argument, NULL, 'c'},
        {"set", required_argument, NULL, OPTION_SET},
        {"check", no_argument, NULL, OPTION_CHECK},
        {"print-config", no_argument, NULL, OPTION_PRINT_CONFIG},
        {"verify", required_argument, NULL, OPTION_VERIFY},
        {"version", no_argument, NULL, OPTION_VERSION},
        {"help", no_argument, NULL, 'h'},
        {NULL, 0, NULL, 0},
    };
    struct options options = {.job = JOB_RUN};
    options.overrides = calloc((size_t)argc, sizeof(*options.overrides));
    CHECK(options.overrides != NULL);

    int option;
    while ((option = getopt_long(argc, argv, "c:h", names, NULL)) != -1) {
        switch (option) {
        case 'c':
            options.file = optarg;
            break;
        case OPTION_SET:
            take_override(&options, optarg);
            break;
        case OPTION_CHECK:
            options.job = JOB_CHECK;
            break;
        case OPTION_PRINT_CONFIG:
            options.job = JOB_PRINT_CONFIG;
            break;
        case OPTION_VERIFY:
            options.job = JOB_VERIFY;
            options.data_dir = optarg;
            break;
        case OPTION_VERSION:
            main_finish("psync-relay " RELAY_VERSION "\n");
        case 'h':
            main_finish(usage);
        default:
            misused(NULL, NULL);
        }
    }
    if (optind < argc)
        misused("not expected here; an ini is given with -c", argv[optind]);
    return options;
}

/* Each line to stderr, where no log is open yet. */
static void main_tell(const char *kind, const char *lines)
{
    while (*lines != '\0') {
        int length = (int)strcspn(lines, "\n");
        fprintf(stderr, "psync-relay: %s%.*s\n", kind, length, lines);
        lines += length;
        lines += *lines == '\n';
    }
}

static bool main_check(struct config *config, struct text *why)
{
    struct text notes;
    text_init(&notes, NOTES_MAX);
    bool is_good = examine(config, why, &notes);
    if (is_good)
        main_tell("while one runs: ", text_string(&notes));
    text_fini(&notes);
    return is_good;
}

static bool do_job(enum job job, struct config *config, struct text *why)
{
    switch (job) {
    case JOB_RUN:
        return relay_run(config, why);
    case JOB_CHECK:
        if (!main_check(config, why))
            return false;
        main_finish("ok\n");
    case JOB_PRINT_CONFIG:
        config_format(config, why);
        main_finish(text_string(why));
    case JOB_VERIFY: /* needs no settings */
        break;
    }
    UNREACHABLE("no such job");
}

/* To stderr, in one line of a terminal, or a line every few seconds of anything else. */
static void tell_progress(const char *part, uint64_t done, uint64_t total, void *arg)
{
    int64_t *told_ms = arg;
    bool is_terminal = isatty(STDERR_FILENO) == 1;
    int64_t now_ms = clock_ms();
    if (now_ms - *told_ms < (is_terminal ? PROGRESS_MS : PROGRESS_LINE_MS))
        return;
    *told_ms = now_ms;
    double share = total > 0 ? (double)done * 100 / (double)total : 0;
    fprintf(stderr, "%s%5.1f%% of %.1f MB, %s%s", is_terminal ? "\r" : "", share,
            (double)total / (1024 * 1024), part, is_terminal ? "\033[K" : "\n");
    fflush(stderr);
}

/* The table goes to stdout, good or not; what is wrong with the directory itself to stderr. */
static bool verify(const char *data_dir, struct text *why)
{
    struct text table;
    text_init(&table, TABLE_LENGTH_MAX);
    int64_t told_ms = clock_ms();
    bool good = store_verify(data_dir, tell_progress, &told_ms, &table, why);
    if (isatty(STDERR_FILENO) == 1)
        fputs("\r\033[K", stderr);
    fputs(text_string(&table), stdout);
    text_fini(&table);
    return good;
}

/* `options` lives longer than the config: SIGHUP reads the overrides again. */
static bool do_with_config(const struct options *options, struct text *why)
{
    struct config config;
    bool is_good = config_load(&config, options->file, (const char *const *)options->overrides,
                               options->override_count, why);
    if (!is_good)
        return false;
    bool done = do_job(options->job, &config, why);
    config_fini(&config);
    return done;
}

static const char *keep_string(const char *string)
{
    char *copy = strdup(string);
    CHECK(copy != NULL);
    return copy;
}

/* restore_load_fn: the commands of [archive]. */
static bool load_commands(const char *ini, struct restore_commands *out, struct error *error)
{
    struct config config;
    struct text why;
    text_init(&why, NOTES_MAX);
    bool good = config_load(&config, ini, NULL, 0, &why);
    if (good) {
        *out = (struct restore_commands){.restore = keep_string(config.restore_command),
                                         .list = keep_string(config.list_command),
                                         .remove = keep_string(config.remove_command)};
        config_fini(&config);
    } else {
        (void)error_set(error, ERROR_INVALID, "%.500s", text_string(&why));
    }
    text_fini(&why);
    return good;
}

int main(int argc, char **argv)
{
    if (argc > 1 && strcmp(argv[1], "restore") == 0)
        return restore_main(argc - 1, argv + 1, load_commands);
    if (argc > 1 && strcmp(argv[1], "archive") == 0)
        return archive_main(argc - 1, argv + 1, load_commands);
    struct options options = parse_options(argc, argv);
    struct text why;
    text_init(&why, 256 * 1024);

    bool done =
        options.job == JOB_VERIFY ? verify(options.data_dir, &why) : do_with_config(&options, &why);
    if (!done)
        main_tell("", text_string(&why));

    forget_overrides(&options);
    text_fini(&why);
    return done ? EXIT_SUCCESS : EXIT_FAILURE;
}
