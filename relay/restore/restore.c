/* SPDX-License-Identifier: MIT
 *
 * The command line of `psync-relay restore`.
 */
#include "relay/restore/restore.h"
#include "relay/base/moment.h"

#include <getopt.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "archive_view.h"
#include "data_dir_output.h"
#include "listing.h"
#include "output.h"
#include "plan.h"
#include "progress.h"
#include "relay/base/clock.h"
#include "relay/base/log.h"
#include "relay/resp/command_scanner.h"
#include "run.h"
#include "serve.h"

enum { TEXT_LENGTH_MAX = 1024 * 1024, PORT_MAX = 65535 };

struct restore_options {
    const char *from;
    const char *to;
    enum output_format format;
    bool makes_data_dir; /* instead of the format */
    struct restore_commands commands;
    const char *system;
    const char *scratch;
    struct restore_wish wish;
    bool has_history;
    uint64_t history;
    bool lists;
    bool verifies;
    bool serves;
    uint64_t port;
    const char *address; /* that it serves on */
};

static const char usage[] =
    "usage: psync-relay restore --from DIR --to TARGET [MOMENT] [--format FORMAT]\n"
    "       psync-relay restore --from DIR --verify [MOMENT]\n"
    "       psync-relay restore --from DIR --serve PORT [MOMENT] [--bind ADDRESS]\n"
    "       psync-relay restore --from DIR --list\n"
    "\n"
    "Restores the data of a moment from the data directory of a relay, which may be running, or\n"
    "from an archive.\n"
    "\n"
    "  --from DIR               the data directory of the relay, or a directory that is an "
    "archive\n"
    "  --from COMMAND           an archive: the command fetches the file %f to the path %p;\n"
    "  --restore-command COMMAND    the same\n"
    "  --list-command COMMAND       prints the names of all files of the archive\n"
    "  -c, --config FILE        take these commands from [archive] in this ini\n"
    "  --system ID              of an archive: of this relay alone, the first part of the names\n"
    "  --scratch DIR            where fetched files are put (TMPDIR, or /var/tmp)\n"
    "  --to TARGET              the directory to write to\n"
    "\n"
    "The moment; without one, all that the relay has received:\n"
    "  --time TIME              what had been received at a time\n"
    "  --offset N               up to a replication offset\n"
    "  --before COMMAND         up to the last COMMAND, for example FLUSHALL\n"
    "  --before-key KEY         up to the last command that changed KEY\n"
    "  --after TIME             with the two above: the command came after this time\n"
    "TIME is 2026-11-28T15:04:05Z, 2026-11-28 15:04:05 (local time), or -15min.\n"
    "\n"
    "  --format FORMAT          aof (default): TARGET/appendonlydir, for Redis 7, Valkey and "
    "later\n"
    "                           aof-legacy: TARGET/appendonly.aof, for Redis 4.0 to 6.2\n"
    "                           rdb-and-log: TARGET/rdb-and-log, the RDB and the stream as they "
    "came\n"
    "                           data-dir: TARGET is a data directory that a relay goes on with\n"
    "  --history N              of history-N, or timeline N of an archive; without it, the newest "
    "one that has the moment\n"
    "  --list                   show what can be restored, and end\n"
    "  --verify                 read and prove all that a restore needs, write nothing, and end\n"
    "  --serve PORT             write nothing: be a primary that has the data of the moment, and "
    "no more,\n"
    "                           for servers that are told REPLICAOF\n"
    "  --bind ADDRESS           with --serve: the address to listen on (127.0.0.1); there is no "
    "password\n"
    "  --help                   print this and end\n";

static void restore_tell(const char *text)
{
    fprintf(stderr, "psync-relay restore: %s\n", text);
}

/* ------------------------------------------------------------------ options */

static bool set_wish(struct restore_wish *wish, enum wish_kind kind, struct error *error)
{
    if (wish->kind != WISH_END)
        return error_set(error, ERROR_INVALID,
                         "give one of --time, --offset, --before and --before-key");
    wish->kind = kind;
    return true;
}

static bool set_word(struct restore_wish *wish, enum wish_kind kind, const char *word,
                     struct error *error)
{
    size_t length = strlen(word);
    if (length == 0 || (kind == WISH_BEFORE_COMMAND && length > COMMAND_NAME_MAX))
        return error_set(error, ERROR_INVALID, "'%.64s' is no %s", word,
                         kind == WISH_BEFORE_COMMAND ? "command" : "key");
    wish->word = word;
    return set_wish(wish, kind, error);
}

static bool set_number(const char *text, uint64_t *out, struct error *error)
{
    return bytes_to_u64(bytes_of(text), out) ||
           error_set(error, ERROR_INVALID, "'%.64s' is no number", text);
}

enum restore_option {
    OPTION_FROM = 256,
    OPTION_TO,
    OPTION_TIME,
    OPTION_OFFSET,
    OPTION_BEFORE,
    OPTION_BEFORE_KEY,
    OPTION_AFTER,
    OPTION_FORMAT,
    OPTION_HISTORY,
    OPTION_LIST,
    OPTION_VERIFY,
    OPTION_SERVE,
    OPTION_BIND,
    OPTION_RESTORE_COMMAND,
    OPTION_LIST_COMMAND,
    OPTION_SYSTEM,
    OPTION_SCRATCH,
    OPTION_HELP,
};

static bool take_moment(struct restore_wish *wish, int option, const char *value,
                        struct error *error)
{
    switch (option) {
    case OPTION_TIME:
        return set_wish(wish, WISH_TIME, error) &&
               moment_parse(bytes_of(value), clock_wall_us(), &wish->time_us, error);
    case OPTION_OFFSET:
        return set_wish(wish, WISH_OFFSET, error) && set_number(value, &wish->offset, error);
    case OPTION_BEFORE:
        return set_word(wish, WISH_BEFORE_COMMAND, value, error);
    case OPTION_BEFORE_KEY:
        return set_word(wish, WISH_BEFORE_KEY, value, error);
    default:
        wish->has_after = true;
        return moment_parse(bytes_of(value), clock_wall_us(), &wish->after_us, error);
    }
}

/* Where an archive is. */
static bool take_place(struct restore_options *options, int option, const char *value)
{
    switch (option) {
    case OPTION_RESTORE_COMMAND:
        options->commands.restore = value;
        return true;
    case OPTION_LIST_COMMAND:
        options->commands.list = value;
        return true;
    case OPTION_SYSTEM:
        options->system = value;
        return true;
    case OPTION_SCRATCH:
        options->scratch = value;
        return true;
    default:
        return false;
    }
}

static bool take_format(struct restore_options *options, const char *value, struct error *error)
{
    options->makes_data_dir = strcmp(value, "data-dir") == 0;
    return options->makes_data_dir || output_parse_format(value, &options->format) ||
           error_set(error, ERROR_INVALID,
                     "'%.64s' is no format: there are aof, aof-legacy, rdb-and-log and data-dir",
                     value);
}

static bool take_option(struct restore_options *options, int option, const char *value,
                        struct error *error)
{
    if (take_place(options, option, value))
        return true;
    switch (option) {
    case OPTION_FROM:
        options->from = value;
        return true;
    case OPTION_TO:
        options->to = value;
        return true;
    case OPTION_FORMAT:
        return take_format(options, value, error);
    case OPTION_HISTORY:
        options->has_history = true;
        return set_number(value, &options->history, error);
    case OPTION_LIST:
        options->lists = true;
        return true;
    case OPTION_VERIFY:
        options->verifies = true;
        return true;
    case OPTION_SERVE:
        options->serves = true;
        return set_number(value, &options->port, error) &&
               (options->port <= PORT_MAX ||
                error_set(error, ERROR_INVALID, "'%.64s' is no port", value));
    case OPTION_BIND:
        options->address = value;
        return true;
    default:
        return take_moment(&options->wish, option, value, error);
    }
}

static bool check_options(const struct restore_options *options, struct error *error)
{
    bool needs_after =
        options->wish.kind == WISH_BEFORE_COMMAND || options->wish.kind == WISH_BEFORE_KEY;
    if (options->from == NULL && !string_is_given(options->commands.restore))
        return error_set(error, ERROR_INVALID, "--from DIR is missing");
    if (options->makes_data_dir && options->to == NULL)
        return error_set(error, ERROR_INVALID, "--format data-dir goes with --to");
    if (options->lists + options->verifies + options->serves + (options->to != NULL) != 1)
        return error_set(error, ERROR_INVALID,
                         "give one of --to TARGET, --verify, --serve PORT and --list");
    if (options->address != NULL && !options->serves)
        return error_set(error, ERROR_INVALID, "--bind goes with --serve");
    if (options->wish.has_after && !needs_after)
        return error_set(error, ERROR_INVALID, "--after goes with --before and --before-key");
    return true;
}

/* False: `error`, or *is_help: it was asked for. */
static bool parse_restore_options(int argc, char **argv, restore_load_fn *load,
                                  struct restore_options *options, bool *is_help,
                                  struct error *error)
{
    static const struct option names[] = {
        {"from", required_argument, NULL, OPTION_FROM},
        {"to", required_argument, NULL, OPTION_TO},
        {"time", required_argument, NULL, OPTION_TIME},
        {"offset", required_argument, NULL, OPTION_OFFSET},
        {"before", required_argument, NULL, OPTION_BEFORE},
        {"before-key", required_argument, NULL, OPTION_BEFORE_KEY},
        {"after", required_argument, NULL, OPTION_AFTER},
        {"format", required_argument, NULL, OPTION_FORMAT},
        {"history", required_argument, NULL, OPTION_HISTORY},
        {"list", no_argument, NULL, OPTION_LIST},
        {"verify", no_argument, NULL, OPTION_VERIFY},
        {"serve", required_argument, NULL, OPTION_SERVE},
        {"bind", required_argument, NULL, OPTION_BIND},
        {"config", required_argument, NULL, 'c'},
        {"restore-command", required_argument, NULL, OPTION_RESTORE_COMMAND},
        {"list-command", required_argument, NULL, OPTION_LIST_COMMAND},
        {"system", required_argument, NULL, OPTION_SYSTEM},
        {"scratch", required_argument, NULL, OPTION_SCRATCH},
        {"help", no_argument, NULL, OPTION_HELP},
        {NULL, 0, NULL, 0},
    };
    *options = (struct restore_options){.format = OUTPUT_AOF};
    int option;
    while ((option = getopt_long(argc, argv, "c:", names, NULL)) != -1) {
        *is_help = option == OPTION_HELP;
        if (*is_help)
            return false;
        if (option == '?')
            return error_set(error, ERROR_INVALID, "see psync-relay restore --help");
        bool good = option == 'c' ? load(optarg, &options->commands, error)
                                  : take_option(options, option, optarg, error);
        if (!good)
            return false;
    }
    if (optind < argc)
        return error_set(error, ERROR_INVALID, "'%.64s' is not expected", argv[optind]);
    return check_options(options, error);
}

/* ------------------------------------------------------------------ histories */

/* Those that are whole; of the others `error` has the first. */
struct views {
    struct history_view *view;
    size_t count;
    bool is_archive; /* they are those of the archive */
    struct archive_views archive;
};

static void close_views(struct views *views)
{
    if (views->is_archive) {
        archive_views_close(&views->archive);
        return;
    }
    for (size_t i = 0; i < views->count; i++)
        history_view_close(&views->view[i]);
    free(views->view);
}

static bool is_archive(const struct restore_options *options)
{
    return string_is_given(options->commands.restore) || strstr(options->from, "%p") != NULL ||
           archive_source_is_archive(options->from);
}

static bool open_archive_views(const struct restore_options *options, struct views *views,
                               struct error *error)
{
    const struct restore_commands *commands = &options->commands;
    bool has_command = string_is_given(commands->restore);
    bool is_command = !has_command && strstr(options->from, "%p") != NULL;
    const struct archive_source source = {
        .directory = has_command || is_command ? NULL : options->from,
        .restore_command = is_command ? options->from : commands->restore,
        .list_command = string_is_given(commands->list) ? commands->list : NULL,
        .scratch = options->scratch,
    };
    struct text notes;
    text_init(&notes, TEXT_LENGTH_MAX);
    bool good = archive_views_open(&views->archive, &source, options->system,
                                   options->has_history ? options->history : 0, &notes, error);
    fputs(text_string(&notes), stderr);
    text_fini(&notes);
    if (!good)
        return false;
    views->is_archive = true;
    views->view = views->archive.view;
    views->count = views->archive.count;
    return views->count > 0 ||
           error_set(error, ERROR_MISSING, "the archive: there is no such timeline in it");
}

/* One that is not whole is told, and left out. */
static bool open_data_dir(const struct restore_options *options, struct views *views,
                          struct error *error)
{
    uint64_t *numbers;
    size_t count;
    if (!history_view_list(options->from, &numbers, &count, error))
        return false;
    views->view = calloc(count + 1, sizeof(*views->view));
    if (views->view == NULL) {
        free(numbers);
        return error_set(error, ERROR_EXHAUSTED, "out of memory");
    }
    (void)error_set(error, ERROR_MISSING, "data directory %s: there is no such history in it",
                    options->from);
    for (size_t i = 0; i < count; i++) {
        if (options->has_history && numbers[i] != options->history)
            continue;
        if (history_view_open(&views->view[views->count], options->from, numbers[i], error))
            views->count++;
        else if (error->kind != ERROR_MISSING || options->lists)
            fprintf(stderr, "%s\n", error->text);
    }
    free(numbers);
    if (views->count == 0 && count == 0)
        return error_set(error, ERROR_MISSING,
                         "data directory %s: there is no history in it: is it that of a relay?",
                         options->from);
    return views->count > 0;
}

static bool open_views(const struct restore_options *options, struct views *views,
                       struct error *error)
{
    *views = (struct views){.view = NULL};
    return is_archive(options) ? open_archive_views(options, views, error)
                               : open_data_dir(options, views, error);
}

static void list_views(const struct views *views)
{
    struct text out;
    text_init(&out, TEXT_LENGTH_MAX);
    for (size_t i = 0; i < views->count; i++)
        listing_write(&views->view[i], &out);
    if (views->is_archive)
        archive_views_tell_gaps(&views->archive, &out);
    fputs(text_string(&out), stdout);
    text_fini(&out);
}

/* The newest that has the moment. False: `error` is that of the newest. */
static bool make_plan(const struct views *views, const struct restore_wish *wish,
                      struct restore_plan *plan, struct progress *progress, struct error *error)
{
    struct text notes;
    text_init(&notes, TEXT_LENGTH_MAX);
    bool good = false;
    for (size_t i = 0; i < views->count && !good; i++) {
        struct error other;
        text_clear(&notes);
        good = restore_plan_make(plan, &views->view[i], wish, progress, &notes,
                                 i == 0 ? error : &other);
    }
    fputs(text_string(&notes), stderr);
    text_fini(&notes);
    return good;
}

static void tell_spans(const struct views *views)
{
    struct text out;
    text_init(&out, TEXT_LENGTH_MAX);
    for (size_t i = 0; i < views->count; i++)
        restore_plan_tell_span(&views->view[i], &out);
    fprintf(stderr, "can be restored:\n%s", text_string(&out));
    text_fini(&out);
}

/* ------------------------------------------------------------------ done */

static void tell_result(const struct restore_options *options, const struct restore_plan *plan,
                        const struct restore_result *result)
{
    const struct history_view *view = plan->view;
    const struct time_entry *came = time_index_at_offset(&view->times, result->offset);
    char moment[MOMENT_TEXT_MAX];
    printf("%s: %s to offset %" PRIu64, view->name,
           options->to == NULL ? "all is proven for a restore" : "restored", result->offset);
    if (came != NULL)
        printf(", which had come by %s", moment_format(came->wall_us, moment));
    printf("\nRDB of offset %" PRIu64 ", and %" PRIu64 " commands behind it", plan->base->offset,
           result->commands);
    if (options->to != NULL)
        printf(", in %s/%s", options->to,
               options->makes_data_dir ? "history-1" : output_name(options->format));
    printf("\n");
}

static bool restore_with_plan(const struct restore_options *options,
                              const struct restore_plan *plan, struct progress *progress,
                              struct error *error)
{
    struct restore_result result;
    bool good;
    if (options->to == NULL) {
        good = restore_run(plan, options->format, NULL, progress, &result, error);
    } else if (options->makes_data_dir) {
        good = data_dir_output(plan, options->to, progress, &result, error);
    } else {
        struct output output;
        if (!output_open(&output, options->to, options->format, error))
            return false;
        good = restore_run(plan, options->format, &output, progress, &result, error);
        output_close(&output);
    }
    if (!good)
        return false;
    tell_result(options, plan, &result);
    if (!options->serves)
        return true;
    const char *address = options->address != NULL ? options->address : "127.0.0.1";
    return fflush(stdout) == 0 &&
           serve_plan(plan, result.offset, address, (uint16_t)options->port, error);
}

static bool restore_from(const struct restore_options *options, struct error *error)
{
    struct views views;
    struct progress progress = {.what = NULL};
    struct restore_plan plan;
    bool good = open_views(options, &views, error);
    if (good && options->lists) {
        list_views(&views);
    } else if (good) {
        bool is_planned = make_plan(&views, &options->wish, &plan, &progress, error);
        if (!is_planned && error->kind == ERROR_MISSING)
            tell_spans(&views);
        good = is_planned && restore_with_plan(options, &plan, &progress, error);
        if (good && options->verifies && views.archive.has_holes)
            good = error_set(error, ERROR_DAMAGED, "the archive is not whole, as is told above");
    }
    close_views(&views);
    return good && fflush(stdout) == 0;
}

int restore_main(int argc, char **argv, restore_load_fn *load)
{
    struct restore_options options;
    struct error error = {.kind = ERROR_NONE};
    bool is_help = false;
    log_set_level(LOG_LEVEL_WARNING);
    if (!parse_restore_options(argc, argv, load, &options, &is_help, &error)) {
        if (is_help)
            return fputs(usage, stdout) >= 0 && fflush(stdout) == 0 ? EXIT_SUCCESS : EXIT_FAILURE;
        restore_tell(error.text);
        return EXIT_FAILURE;
    }
    if (restore_from(&options, &error))
        return EXIT_SUCCESS;
    if (error.kind != ERROR_NONE)
        restore_tell(error.text);
    return EXIT_FAILURE;
}
