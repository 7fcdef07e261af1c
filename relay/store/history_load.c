/* SPDX-License-Identifier: MIT
 *
 * A history as its files prove it, at a start.
 */
#include <errno.h>
#include <inttypes.h>
#include <stdlib.h>
#include <unistd.h>

#include "files.h"
#include "history_state_private.h"
#include "relay/base/log.h"
#include "relay/store/history.h"
#include "segment.h"

enum {
    IDENTITY_LENGTH_MAX = 64 * 1024 * 1024, /* about half a million segments */
};

enum history_proof history_read_identity(const struct history *history, const char *name,
                                         struct identity *out, struct text *why)
{
    struct text file;
    text_init(&file, IDENTITY_LENGTH_MAX);
    struct text reason;
    text_init(&reason, HISTORY_WHY_MAX);
    bool good = files_read(history->directory, name, &file, &reason);
    int error = good ? 0 : errno;
    if (good) {
        errno = 0; /* of what parsing does, only memory can set it */
        good = identity_parse(text_bytes(&file), out, &reason);
        error = errno;
    }
    if (!good)
        text_format(why, "%s%s: %s", why->length > 0 ? " " : "", name, text_string(&reason));
    text_fini(&file);
    text_fini(&reason);
    errno = error;
    if (good)
        return HISTORY_PROVEN;
    if (error == ENOENT)
        return HISTORY_BEGUN;
    return files_is_refusal(error) ? HISTORY_REFUSED : HISTORY_UNPROVEN;
}

/* The newest identity is not fsynced where it is written, and a power failure may leave it empty. The
 * one before it, that the syncer keeps beside it, then tells what was proven a moment earlier. */
static enum history_proof load_identity(struct history *history, struct text *why)
{
    enum history_proof proof = history_read_identity(history, "identity", &history->identity, why);
    if (proof != HISTORY_UNPROVEN && proof != HISTORY_BEGUN)
        return proof;
    enum history_proof kept =
        history_read_identity(history, SYNCER_IDENTITY_KEPT, &history->identity, why);
    if (kept == HISTORY_BEGUN)
        return proof;
    if (kept != HISTORY_PROVEN)
        return kept;
    log_warnx("store: history-%" PRIu64 ": %s: the one before it is used", history->number,
              text_string(why));
    text_clear(why);
    return HISTORY_PROVEN;
}

/* With what was sealed since it was written. */
static enum history_proof load_rows(struct history *history, struct text *why)
{
    uint64_t newest;
    if (!segment_log_apply(history->directory, &history->identity, &newest, why))
        return HISTORY_REFUSED;
    history->log.base = newest;
    return HISTORY_PROVEN;
}

/* What a power failure would find of it, as the durable marks tell. */
static void note_marked(struct history *history)
{
    uint64_t marked = tail_durable_end(history->tail);
    uint64_t end = backlog_end(history->backlog);
    if (marked > end)
        marked = end;
    if (marked <= backlog_unproven_first(history->backlog))
        marked = UINT64_MAX;
    atomic_store_explicit(&history->claim.marked, marked, memory_order_relaxed);
}

static enum history_proof load_backlog(struct history *history, struct text *why)
{
    struct backlog_dependencies dependencies = history_backlog_dependencies(history);
    history->backlog = backlog_load(&dependencies, why);
    if (history->backlog != NULL) {
        note_marked(history);
        return HISTORY_PROVEN;
    }
    return files_is_refusal(errno) ? HISTORY_REFUSED : HISTORY_UNPROVEN;
}

/* Segments that are not in the chain, left by a kill between two steps. */
static void remove_stray_segment(const char *name, void *arg)
{
    struct history *history = arg;
    uint64_t first;
    if (!segment_parse_name(name, &first)) {
        log_warnx("store: history-%" PRIu64 "/backlog/%s is not ours and is left alone",
                  history->number, name);
        return;
    }
    if (backlog_newest(history->backlog)->first != first &&
        !identity_has_segment(&history->identity, first))
        (void)reclaimer_unlink(history->dependencies.reclaimer, history->backlog_dir, name);
}

/* What cannot be done now (a full disk) is done at the next start: no reason not to serve. */
static void tidy(struct history *history)
{
    struct text why;
    text_init(&why, HISTORY_WHY_MAX);
    if (!files_each(history->backlog_dir, remove_stray_segment, history, &why) ||
        !history_tidy_snapshots(history, &why) || !history_save_now(history, &why))
        log_warnx("store: history-%" PRIu64 ": %s", history->number, text_string(&why));
    /* The copy may tell of what is no more. */
    history->has_jobs = true;
    (void)!syncer_submit_names(history->dependencies.syncer, history->directory, &history->claim);
    text_fini(&why);
}

/* It lets go of what was opened without touching a file. */
static enum history_proof history_load_look_at_files(struct history *history, struct text *why)
{
    enum history_proof proof = load_identity(history, why);
    clean_mark_read(&history->clean, history->directory);
    if (proof == HISTORY_PROVEN)
        proof = load_rows(history, why);
    if (proof == HISTORY_PROVEN)
        proof = load_backlog(history, why);
    if (proof == HISTORY_PROVEN)
        time_log_load(history->times, &history->identity, backlog_end(history->backlog));
    if (proof == HISTORY_PROVEN)
        proof = history_find_snapshots(history, why);
    struct error error;
    if (proof != HISTORY_PROVEN || history_may_prove(history, &error))
        return proof;
    text_append_string(why, error.text);
    errno = error.number;
    return HISTORY_REFUSED;
}

enum history_proof history_load(const struct history_dependencies *dependencies, uint64_t number,
                                struct history **out, struct text *why)
{
    struct history *history = history_make(dependencies, number, why);
    *out = NULL;
    if (history == NULL)
        return errno == ENOTDIR ? HISTORY_STRANGE : HISTORY_REFUSED;
    enum history_proof proof = history_load_look_at_files(history, why);
    if (proof != HISTORY_PROVEN) {
        int error = errno;
        history_free(&history);
        errno = error;
        return proof;
    }
    history->has_name = true;
    clean_mark_remove(history->directory);
    tidy(history);
    history_begin_proof(history);
    *out = history;
    return HISTORY_PROVEN;
}
