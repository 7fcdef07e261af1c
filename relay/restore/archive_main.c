/* SPDX-License-Identifier: MIT
 *
 * The command line of `psync-relay archive`.
 */
#include <getopt.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "archive_prune.h"
#include "archive_view.h"
#include "listing.h"
#include "relay/archive/command_words.h"
#include "relay/base/clock.h"
#include "relay/base/log.h"
#include "relay/base/moment.h"
#include "relay/restore/restore.h"

enum { TEXT_LENGTH_MAX = 64 * 1024 * 1024, PATH_LENGTH_MAX = 4096 };

struct archive_command {
    const char *verb;
    const char *from;
    const char *system;
    const char *keep; /* a length of time */
    struct restore_commands commands;
    const char *scratch;
};

static const char usage[] =
    "usage: psync-relay archive list --from ARCHIVE\n"
    "       psync-relay archive prune --from ARCHIVE --keep TIME [--remove-command COMMAND]\n"
    "\n"
    "list shows what can be restored from an archive, and what is missing in it.\n"
    "prune prints the names of the files that no restore of a moment within TIME needs, or runs a\n"
    "command for each. The newest moment of each relay can always be restored afterwards.\n"
    "\n"
    "  --from ARCHIVE             a directory\n"
    "  --restore-command COMMAND  or: how to fetch the file %f of the archive to the path %p,\n"
    "  --list-command COMMAND     and how to print the names of all files\n"
    "  -c, --config FILE          take the commands from [archive] in this ini\n"
    "  --system ID                of this relay alone: the first part of the names\n"
    "  --keep TIME                as in: 7d, 12h, 30min\n"
    "  --remove-command COMMAND   how to remove the file %f (%p: its path in ARCHIVE)\n"
    "  --scratch DIR              where fetched files are put (TMPDIR, or /var/tmp)\n"
    "  --help                     print this and end\n";

static void archive_tell(const char *text)
{
    fprintf(stderr, "psync-relay archive: %s\n", text);
}

/* ------------------------------------------------------------------ options */

enum archive_option {
    OPTION_FROM = 256,
    OPTION_RESTORE_COMMAND,
    OPTION_LIST_COMMAND,
    OPTION_REMOVE_COMMAND,
    OPTION_SYSTEM,
    OPTION_KEEP,
    OPTION_SCRATCH,
    OPTION_HELP,
};

static bool take_archive_option(struct archive_command *command, int option, const char *value,
                                restore_load_fn *load, struct error *error)
{
    switch (option) {
    case 'c':
        return load(value, &command->commands, error);
    case OPTION_FROM:
        command->from = value;
        return true;
    case OPTION_RESTORE_COMMAND:
        command->commands.restore = value;
        return true;
    case OPTION_LIST_COMMAND:
        command->commands.list = value;
        return true;
    case OPTION_REMOVE_COMMAND:
        command->commands.remove = value;
        return true;
    case OPTION_SYSTEM:
        command->system = value;
        return true;
    case OPTION_KEEP:
        command->keep = value;
        return true;
    default:
        command->scratch = value;
        return true;
    }
}

static bool check_archive_command(const struct archive_command *command, struct error *error)
{
    bool prunes = command->verb != NULL && strcmp(command->verb, "prune") == 0;
    if (!prunes && (command->verb == NULL || strcmp(command->verb, "list") != 0))
        return error_set(error, ERROR_INVALID, "say list or prune; see psync-relay archive --help");
    if (command->from == NULL && !string_is_given(command->commands.restore))
        return error_set(error, ERROR_INVALID, "--from ARCHIVE, or --restore-command, is missing");
    if (prunes && command->keep == NULL)
        return error_set(error, ERROR_INVALID, "--keep TIME is missing");
    return true;
}

static bool parse_archive_command(int argc, char **argv, restore_load_fn *load,
                                  struct archive_command *command, bool *is_help,
                                  struct error *error)
{
    static const struct option names[] = {
        {"config", required_argument, NULL, 'c'},
        {"from", required_argument, NULL, OPTION_FROM},
        {"restore-command", required_argument, NULL, OPTION_RESTORE_COMMAND},
        {"list-command", required_argument, NULL, OPTION_LIST_COMMAND},
        {"remove-command", required_argument, NULL, OPTION_REMOVE_COMMAND},
        {"system", required_argument, NULL, OPTION_SYSTEM},
        {"keep", required_argument, NULL, OPTION_KEEP},
        {"scratch", required_argument, NULL, OPTION_SCRATCH},
        {"help", no_argument, NULL, OPTION_HELP},
        {NULL, 0, NULL, 0},
    };
    int option;
    *command = (struct archive_command){.verb = NULL};
    while ((option = getopt_long(argc, argv, "c:", names, NULL)) != -1) {
        *is_help = option == OPTION_HELP;
        if (*is_help)
            return false;
        if (option == '?')
            return error_set(error, ERROR_INVALID, "see psync-relay archive --help");
        if (!take_archive_option(command, option, optarg, load, error))
            return false;
    }
    if (optind < argc)
        command->verb = argv[optind++];
    if (optind < argc)
        return error_set(error, ERROR_INVALID, "'%.64s' is not expected", argv[optind]);
    return check_archive_command(command, error);
}

/* ------------------------------------------------------------------ done */

static void list_archive(const struct archive_views *views)
{
    struct text out;
    text_init(&out, TEXT_LENGTH_MAX);
    for (size_t i = 0; i < views->count; i++)
        listing_write(&views->view[i], &out);
    archive_views_tell_gaps(views, &out);
    fputs(text_string(&out), stdout);
    text_fini(&out);
}

struct pruning {
    const struct archive_command *command;
    struct error *error;
};

static bool remove_file(const char *name, void *arg)
{
    const struct pruning *pruning = arg;
    const char *remove = pruning->command->commands.remove;
    const char *from = pruning->command->from;
    char path[PATH_LENGTH_MAX + OBJECT_NAME_MAX];
    if (!string_is_given(remove)) {
        printf("%s\n", name);
        return true;
    }
    snprintf(path, sizeof(path), "%.4000s%s%s", from != NULL ? from : "", from != NULL ? "/" : "",
             name);
    return archive_source_run(remove, path, name, pruning->error);
}

static bool prune_archive(const struct archive_command *command, const struct catalog *catalog,
                          struct error *error)
{
    char moment[64];
    int64_t since_us;
    struct pruning pruning = {.command = command, .error = error};
    snprintf(moment, sizeof(moment), "-%.60s", command->keep);
    if (!moment_parse(bytes_of(moment), clock_wall_us(), &since_us, error))
        return error_set(error, ERROR_INVALID, "'%.60s' is no length of time, as in: 7d, 12h",
                         command->keep);
    return archive_prune(catalog, since_us, remove_file, &pruning, error);
}

static bool run_archive_command(const struct archive_command *command, struct error *error)
{
    struct archive_views views;
    struct text notes;
    const bool has_command = string_is_given(command->commands.restore);
    const struct archive_source source = {
        .directory = has_command ? NULL : command->from,
        .restore_command = command->commands.restore,
        .list_command = command->commands.list,
        .scratch = command->scratch,
    };
    text_init(&notes, TEXT_LENGTH_MAX);
    bool good = archive_views_open(&views, &source, command->system, 0, &notes, error);
    fputs(text_string(&notes), stderr);
    if (good && strcmp(command->verb, "list") == 0)
        list_archive(&views);
    else if (good)
        good = prune_archive(command, &views.catalog, error);
    if (views.catalog.count > 0)
        archive_views_close(&views);
    text_fini(&notes);
    return good && fflush(stdout) == 0;
}

int archive_main(int argc, char **argv, restore_load_fn *load)
{
    struct archive_command command;
    struct error error = {.kind = ERROR_NONE};
    bool is_help = false;
    log_set_level(LOG_LEVEL_WARNING);
    if (!parse_archive_command(argc, argv, load, &command, &is_help, &error)) {
        if (is_help)
            return fputs(usage, stdout) >= 0 && fflush(stdout) == 0 ? EXIT_SUCCESS : EXIT_FAILURE;
        archive_tell(error.text);
        return EXIT_FAILURE;
    }
    if (run_archive_command(&command, &error))
        return EXIT_SUCCESS;
    if (error.kind != ERROR_NONE)
        archive_tell(error.text);
    return EXIT_FAILURE;
}
