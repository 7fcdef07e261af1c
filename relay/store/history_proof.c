/* SPDX-License-Identifier: MIT
 *
 * What a start has not waited for, in the order in which it is proven: the newest first, down to the X of the
 * RDB, then the RDB, then what is older. Each is served from the moment when it is proven; who needs what is not
 * waits for it, as long as it may still be (history_is_proving).
 */
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "files.h"
#include "history_state_private.h"
#include "relay/base/clock.h"
#include "relay/base/log.h"
#include "relay/store/history.h"
#include "segment.h"

enum {
    RETRY_MS_MIN = 20, /* doubled with each refusal in a row */
    RETRY_MS_MAX = 60 * 1000,
    REFUSALS_AWAITED = 10, /* about 20 s: then nobody waits for it any more */
    LOOKED_AT = 32,        /* segments: more would take a start too long */
};

/* ------------------------------------------------------------------ a gap of the window */

/* On the verifier's thread: nothing of the history is touched. */
struct gap_proof {
    struct proof proof;
    int directory; /* ours */
    struct backlog_gap gap;
    struct segment_space *space; /* held */
    struct segment *segment;     /* found */
    bool is_proven;
    struct error error; /* of one that is not */
};

static void gap_proof_free(struct proof *proof)
{
    struct gap_proof *it = (struct gap_proof *)(void *)proof;
    if (it->segment != NULL)
        segment_release(it->segment);
    if (it->space != NULL)
        segment_space_release(it->space);
    if (it->directory != -1)
        close(it->directory);
    free(it);
}

/* The beginning of a segment that is in the window already. */
static bool prove_beginning(struct gap_proof *it, const struct files_pace *pace)
{
    char name[SEGMENT_NAME_MAX];
    segment_name(it->gap.first, name);
    int file = openat(it->directory, name, O_RDONLY | O_CLOEXEC);
    if (file == -1)
        return error_set_system(&it->error, errno, "cannot open");
    uint64_t crc = 0;
    struct text why;
    text_init(&why, HISTORY_WHY_MAX);
    bool is_read = files_crc64_from(file, 0, it->gap.end - it->gap.first, &crc, pace, &why) ||
                   files_error(&it->error, errno, &why);
    text_fini(&why);
    close(file);
    return is_read && (crc == it->gap.crc || error_set(&it->error, ERROR_DAMAGED,
                                                       "its checksum does not match its bytes"));
}

static bool prove_segment(struct gap_proof *it, const struct files_pace *pace)
{
    const struct backlog_gap *gap = &it->gap;
    struct text why;
    text_init(&why, HISTORY_WHY_MAX);
    it->segment = segment_load(it->directory, gap->first, gap->end, gap->crc, 0, it->space, &why);
    bool good = (it->segment != NULL && (files_is_trusted(it->segment->file, pace) ||
                                         segment_prove(it->segment, gap->first, 0, pace, &why))) ||
                files_error(&it->error, errno, &why);
    text_fini(&why);
    return good;
}

static void prove_gap(struct proof *proof, const struct files_pace *pace)
{
    struct gap_proof *it = (struct gap_proof *)(void *)proof;
    it->is_proven = it->gap.is_in_head ? prove_beginning(it, pace) : prove_segment(it, pace);
}

static struct proof *gap_proof_new(const struct history *history, const struct backlog_gap *gap)
{
    struct gap_proof *it = calloc(1, sizeof(*it));
    if (it == NULL)
        return NULL;
    it->proof.work = prove_gap;
    it->proof.discard = gap_proof_free;
    it->gap = *gap;
    it->space = backlog_hold_space(history->backlog);
    it->directory = fcntl(history->backlog_dir, F_DUPFD_CLOEXEC, 0);
    const struct files_key *key =
        gap->is_in_head ? NULL : clean_mark_find(&history->clean, CLEAN_SEGMENT, gap->first);
    it->proof.is_trusted = key != NULL;
    if (key != NULL)
        it->proof.key = *key;
    if (it->directory != -1)
        return &it->proof;
    gap_proof_free(&it->proof);
    return NULL;
}

/* False: the system refused, `error`. */
static bool take_gap(struct history *history, struct proof *proof, struct error *error)
{
    struct gap_proof *it = (struct gap_proof *)(void *)proof;
    bool is_refused =
        !it->is_proven && files_is_refusal(it->error.number) && it->error.number != EIO;
    if (is_refused) {
        *error = it->error;
        snprintf(error->text, sizeof(error->text), "segment %" PRIu64 ".seg: %.*s", it->gap.first,
                 ERROR_TEXT_MAX - 64, it->error.text);
    } else if (it->is_proven) {
        if (backlog_admit(history->backlog, &it->gap, it->segment))
            it->segment = NULL;
    } else {
        struct backlog_gap next;
        /* It may have been given up meanwhile. */
        if (backlog_next_unproven(history->backlog, &next) && next.first == it->gap.first) {
            log_warnx("store: segment %" PRIu64 ".seg is not proven up to %" PRIu64
                      ": %s: the window begins behind it",
                      it->gap.first, it->gap.end, it->error.text);
            backlog_give_up_unproven(history->backlog);
            history_ask_saving(history);
        }
    }
    gap_proof_free(proof);
    return !is_refused;
}

/* ------------------------------------------------------------------ one after the other */

static uint64_t bytes_left(const struct history *history)
{
    struct backlog_gap gap;
    uint64_t stream = backlog_next_unproven(history->backlog, &gap)
                          ? backlog_unproven_bytes(history->backlog)
                          : 0;
    return stream + history_search_bytes(history);
}

static void pause_proof(struct history *history, const char *why)
{
    unsigned doubled = history->proof_refusals < 12 ? history->proof_refusals : 12;
    int64_t pause_ms = (int64_t)RETRY_MS_MIN << doubled;
    history->prove_not_before_ms = clock_ms() + (pause_ms < RETRY_MS_MAX ? pause_ms : RETRY_MS_MAX);
    history->proof_refusals++;
    if (history->proof_refusals == 1 || history->proof_refusals == REFUSALS_AWAITED)
        log_warnx("store: history-%" PRIu64
                  ": not all that is held can be proven now, it is tried again: %s",
                  history->number, why);
}

static struct proof *next_proof(struct history *history)
{
    struct backlog_gap gap;
    uint64_t offset;
    bool has_gap = backlog_next_unproven(history->backlog, &gap);
    bool has_snapshot = history_search_next(history, &offset);
    history->proves_snapshot = has_snapshot && (!has_gap || gap.end <= offset);
    if (!has_gap && !has_snapshot)
        return NULL;
    struct proof *proof =
        history->proves_snapshot ? history_search_proof(history) : gap_proof_new(history, &gap);
    if (proof == NULL)
        pause_proof(history, "memory or descriptors are out");
    return proof;
}

static void history_proof_note_end(struct history *history)
{
    int64_t took_ms = clock_ms() - history->proof_began_ms;
    if (history->proof_total > 0)
        log_info("store: history-%" PRIu64 ": all that is held is proven window=%" PRIu64
                 "..%" PRIu64 " duration=%.1fs",
                 history->number, backlog_first(history->backlog),
                 backlog_published(history->backlog), (double)took_ms / 1000);
    history->is_proving = false;
    progress_meter_end(&history->proof_progress);
    clean_mark_fini(&history->clean);
}

static void submit_next(struct history *history)
{
    if (clock_ms() < history->prove_not_before_ms)
        return;
    history->prove_not_before_ms = 0;
    struct proof *proof = next_proof(history);
    if (proof != NULL) {
        verifier_submit(history->dependencies.verifier, proof);
        history->has_proof = true;
    } else if (history->prove_not_before_ms == 0) {
        history_proof_note_end(history);
    }
}

/* A file that we may not open now is none that can be proven later: the operator is told before anything is
 * touched. A file that is not there is another matter. */
static bool can_open(int directory, const char *name, int flags, struct error *error)
{
    int file = openat(directory, name, flags | O_CLOEXEC);
    if (file != -1) {
        close(file);
        return true;
    }
    return !files_is_refusal(errno) || error_set_system(error, errno, "%s: cannot open", name);
}

bool history_may_prove(const struct history *history, struct error *error)
{
    char name[SNAPSHOT_NAME_MAX];
    uint64_t offset;
    size_t left = LOOKED_AT;
    for (size_t i = history->identity.segment_count; i > 0 && left > 0; i--) {
        const struct identity_segment *row = &history->identity.segments[i - 1];
        if (row->first >= backlog_first(history->backlog))
            continue;
        segment_name(row->first, name);
        if (!can_open(history->backlog_dir, name, O_RDWR, error))
            return false;
        left--;
    }
    if (!history_search_next(history, &offset))
        return true;
    snapshot_name(offset, name);
    return can_open(history->snapshot_dir, name, O_RDONLY, error);
}

void history_begin_proof(struct history *history)
{
    history_search_settle(history);
    history->is_proving = true;
    history->proof_began_ms = clock_ms();
    history->proof_total = bytes_left(history);
    progress_meter_begin(&history->proof_progress, history->proof_began_ms, 0);
    progress_meter_expect(&history->proof_progress, history->proof_total, false);
    if (history->proof_total > 0)
        log_info("store: history-%" PRIu64 ": %" PRIu64
                 " bytes of window and RDB are proven while what is proven already is served",
                 history->number, history->proof_total);
    submit_next(history);
}

static void pause_refused_proof(struct history *history, const struct error *error)
{
    const char *advice = files_advice(error->number);
    struct text why;
    text_init(&why, 2 * HISTORY_WHY_MAX);
    text_format(&why, "%s%s%s", error->text, advice != NULL ? ": " : "",
                advice != NULL ? advice : "");
    pause_proof(history, text_string(&why));
    text_fini(&why);
}

void history_take_proof(struct history *history)
{
    if (!history->is_proving)
        return;
    struct proof *proof = history->has_proof ? verifier_take(history->dependencies.verifier) : NULL;
    if (history->has_proof && proof == NULL)
        return;
    if (proof != NULL) {
        history->has_proof = false;
        struct error error;
        bool good = history->proves_snapshot ? history_search_take(history, proof, &error)
                                             : take_gap(history, proof, &error);
        if (good)
            history->proof_refusals = 0;
        else
            pause_refused_proof(history, &error);
        history->changed = true;
    }
    submit_next(history);
}

void history_end_proof(struct history *history)
{
    if (history->has_proof)
        verifier_abandon(history->dependencies.verifier);
    history->has_proof = false;
    history->is_proving = false;
    progress_meter_end(&history->proof_progress);
    history_search_end(history);
    clean_mark_fini(&history->clean);
}

bool history_is_proving(const struct history *history)
{
    return history->is_proving && history->proof_refusals < REFUSALS_AWAITED;
}

bool history_is_proving_snapshot(const struct history *history)
{
    return history_is_proving(history) && history_search_is_awaited(history);
}

uint64_t history_window_first(const struct history *history)
{
    return history_is_proving(history) ? backlog_unproven_first(history->backlog)
                                       : backlog_first(history->backlog);
}

void history_proof_status(const struct history *history, uint64_t *total, uint64_t *left)
{
    *total = history->proof_total;
    *left = history->is_proving ? bytes_left(history) : 0;
    uint64_t read = history->has_proof ? verifier_bytes(history->dependencies.verifier) : 0;
    *left -= read < *left ? read : *left;
}

static uint64_t proof_bytes_done(const struct history *history)
{
    uint64_t total;
    uint64_t left;
    history_proof_status(history, &total, &left);
    return left < total ? total - left : 0;
}

struct progress_view history_proof_progress(const struct history *history)
{
    struct progress_meter now = history->proof_progress;
    progress_meter_note(&now, clock_ms(), proof_bytes_done(history));
    return progress_meter_view(&now, clock_ms());
}

void history_note_proof_progress(struct history *history)
{
    struct progress_meter *progress = &history->proof_progress;
    int64_t now_ms = clock_ms();
    progress_meter_note(progress, now_ms, proof_bytes_done(history));
    if (!progress_meter_take_log_turn(progress, now_ms))
        return;
    struct progress_view view = progress_meter_view(progress, now_ms);
    struct text line;
    text_init(&line, HISTORY_WHY_MAX);
    progress_view_format(&view, ' ', &line);
    log_info("store: history-%" PRIu64 ": proof in progress %s", history->number,
             text_string(&line));
    text_fini(&line);
}
