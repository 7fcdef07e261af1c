/* SPDX-License-Identifier: MIT
 *
 * Snapshots that a process before us has received: what their file holds is proven, on a thread that may wait for the
 * disk, and then they are as those that are complete.
 */
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdio.h>
#include <sys/stat.h>
#include <unistd.h>

#include "files.h"
#include "relay/base/clock.h"
#include "relay/base/text.h"
#include "snapshot_state_private.h"

enum { FOUND_WHY_MAX = 256 };

/* Since it was written, by the wall's clock: that one alone outlives a process. */
static int64_t snapshot_age_ms(const struct stat *about)
{
    int64_t written_ms = (int64_t)about->st_mtim.tv_sec * 1000 + about->st_mtim.tv_nsec / 1000000;
    int64_t age = clock_wall_us() / 1000 - written_ms;
    return age > 0 ? age : 0;
}

static bool read_crc(struct snapshot *snapshot, const struct files_pace *pace, struct error *error)
{
    struct text why;
    text_init(&why, FOUND_WHY_MAX);
    bool good =
        files_crc64_from(snapshot->file, 0, snapshot->received, &snapshot->crc, pace, &why) ||
        files_error(error, errno, &why);
    text_fini(&why);
    return good;
}

static bool has_whole_edges(struct snapshot *snapshot, struct error *error)
{
    return rdb_edges_read(&snapshot->edges, snapshot->file, snapshot->received, error) &&
           rdb_edges_are_whole(&snapshot->edges, snapshot->received, error);
}

static bool verify_as_told(struct snapshot *snapshot, const struct identity_snapshot *row,
                           const struct files_pace *pace, struct error *error)
{
    struct stat about;
    if (fstat(snapshot->file, &about) == -1)
        return error_set_system(error, errno, "cannot be looked at");
    if ((uint64_t)about.st_size != row->length)
        return error_set(error, ERROR_DAMAGED, "its length is not %" PRIu64, row->length);
    snapshot->completed_ms = clock_ms() - snapshot_age_ms(&about);
    if (files_is_trusted(snapshot->file, pace))
        snapshot->crc = row->crc;
    else if (!read_crc(snapshot, pace, error))
        return false;
    if (snapshot->crc != row->crc)
        return error_set(error, ERROR_DAMAGED, "its checksum does not match");
    return has_whole_edges(snapshot, error);
}

/* As snapshot_complete would. */
static bool proves_itself(struct snapshot *snapshot, bool is_this_boot,
                          const struct files_pace *pace, struct error *error)
{
    struct stat about;
    if (fstat(snapshot->file, &about) == -1)
        return error_set_system(error, errno, "cannot be looked at");
    if (!S_ISREG(about.st_mode))
        return error_set(error, ERROR_DAMAGED, "it is no file");
    snapshot->received = (uint64_t)about.st_size;
    snapshot->completed_ms = clock_ms() - snapshot_age_ms(&about);
    if (!has_whole_edges(snapshot, error) || !read_crc(snapshot, pace, error))
        return false;
    snapshot->verified = rdb_edges_have_checksum(&snapshot->edges);
    if (snapshot->verified && snapshot->crc != 0)
        return error_set(error, ERROR_DAMAGED, "the RDB's CRC-64 does not match its bytes");
    return snapshot->verified || is_this_boot ||
           error_set(error, ERROR_DAMAGED, "it has no checksum that could prove it");
}

static struct snapshot *open_complete(int directory, uint64_t offset, struct error *error)
{
    char name[SNAPSHOT_NAME_MAX];
    snapshot_name(offset, name);
    int file = openat(directory, name, O_RDONLY | O_CLOEXEC);
    if (file == -1) {
        (void)error_set_system(error, errno, "%s: cannot open", name);
        return NULL;
    }
    struct snapshot *snapshot = snapshot_new(offset, file);
    if (snapshot == NULL) {
        (void)error_set_system(error, ENOMEM, "%s: cannot open", name);
        close(file);
    }
    return snapshot;
}

static struct snapshot *settle_good(struct snapshot *snapshot)
{
    snapshot_enter_complete(snapshot);
    return snapshot;
}

/* It is not, by `reason`. */
static struct snapshot *settle_bad(struct snapshot *snapshot, const struct error *reason,
                                   struct error *error)
{
    *error = *reason;
    snprintf(error->text, sizeof(error->text), "%" PRIu64 ".rdb: %.*s", snapshot->offset,
             ERROR_TEXT_MAX - SNAPSHOT_NAME_MAX, reason->text);
    snapshot_release(&snapshot);
    return NULL;
}

struct snapshot *snapshot_load(int directory, const struct identity_snapshot *row,
                               const struct files_pace *pace, struct error *error)
{
    struct error reason;
    struct snapshot *snapshot = open_complete(directory, row->offset, error);
    if (snapshot == NULL)
        return NULL;
    snapshot->received = row->length;
    snapshot->verified = row->verified;
    return verify_as_told(snapshot, row, pace, &reason) ? settle_good(snapshot)
                                                        : settle_bad(snapshot, &reason, error);
}

struct snapshot *snapshot_adopt(int directory, uint64_t offset, bool is_this_boot,
                                const struct files_pace *pace, struct error *error)
{
    struct error reason;
    struct snapshot *snapshot = open_complete(directory, offset, error);
    if (snapshot == NULL)
        return NULL;
    return proves_itself(snapshot, is_this_boot, pace, &reason)
               ? settle_good(snapshot)
               : settle_bad(snapshot, &reason, error);
}
