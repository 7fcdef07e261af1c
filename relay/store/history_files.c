/* SPDX-License-Identifier: MIT
 *
 * The directories of histories, also of those that are not open: their names, and their end.
 */
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "files.h"
#include "history_private.h"
#include "reclaimer.h"
#include "relay/base/bytes.h"
#include "relay/base/log.h"
#include "segment.h"
#include "segment_log.h"
#include "snapshot_private.h"
#include "syncer.h"
#include "time_log.h"

enum { WHY_MAX = 512 };

void history_name(uint64_t number, char name[HISTORY_NAME_MAX])
{
    snprintf(name, HISTORY_NAME_MAX, "history-%" PRIu64, number);
}

bool history_parse_name(const char *name, uint64_t *number)
{
    static const char prefix[] = "history-";
    struct bytes view = bytes_of(name);
    if (!bytes_starts(view, prefix) || !bytes_to_u64(bytes_skip(view, sizeof(prefix) - 1), number))
        return false;
    char canonical[HISTORY_NAME_MAX];
    history_name(*number, canonical);
    return strcmp(name, canonical) == 0;
}

static void remove_name(const char *name, void *arg)
{
    uint64_t number;
    if (segment_parse_name(name, &number) || snapshot_parse_name(name, &number) ||
        time_log_parse_name(name, &number))
        unlinkat(*(const int *)arg, name, 0);
}

static void remove_known(int directory, const char *name)
{
    struct text why;
    text_init(&why, WHY_MAX);
    int inner = openat(directory, name, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    if (inner != -1) {
        if (!files_each(inner, remove_name, &inner, &why))
            log_warnx("store: %s: %s", name, text_string(&why));
        close(inner);
    }
    unlinkat(directory, name, AT_REMOVEDIR);
    text_fini(&why);
}

void history_forget(int directory)
{
    static const char *const files[] = {"identity", "identity.new", SYNCER_IDENTITY_KEPT,
                                        SYNCER_IDENTITY_KEPT ".new", "tail"};
    if (directory == -1) /* it was never made */
        return;
    for (size_t i = 0; i < LENGTH_OF(files); i++)
        unlinkat(directory, files[i], 0);
    segment_log_remove_before(directory, UINT64_MAX);
}

void history_erase(int data_dir, uint64_t number)
{
    char name[HISTORY_NAME_MAX];
    history_name(number, name);
    int directory = openat(data_dir, name, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    if (directory != -1) {
        /* The identity first: a history that is half removed must not look like one. */
        history_forget(directory);
        remove_known(directory, "backlog");
        remove_known(directory, "snapshot");
        remove_known(directory, TIME_LOG_FOLDER);
        close(directory);
    }
    if (unlinkat(data_dir, name, AT_REMOVEDIR) == -1 && errno != ENOENT)
        log_warn("store: %s: not removed whole, look what is left in it", name);
}

/* The reclaimer's job. */
struct erasure {
    struct reclaim_job job;
    const struct reclaimer *reclaimer;
    uint64_t number;
};

static void erase_in_turn(struct reclaim_job *job)
{
    struct erasure *erasure = (struct erasure *)(void *)job;
    history_erase(reclaimer_directory(erasure->reclaimer), erasure->number);
    free(erasure);
}

void history_remove_files(struct reclaimer *reclaimer, uint64_t number)
{
    struct erasure *erasure = calloc(1, sizeof(*erasure));
    if (erasure == NULL) { /* it waits for the disk, but they do go */
        history_erase(reclaimer_directory(reclaimer), number);
        return;
    }
    *erasure = (struct erasure){{.work = erase_in_turn}, reclaimer, number};
    reclaimer_take(reclaimer, &erasure->job);
}
