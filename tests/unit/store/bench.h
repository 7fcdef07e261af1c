/* SPDX-License-Identifier: MIT
 *
 * A backlog on its own, with the identity and the tail that a history would give it.
 */
#ifndef TESTS_UNIT_STORE_BENCH_H
#define TESTS_UNIT_STORE_BENCH_H

#include "../../../relay/store/backlog.h"
#include "../../../relay/store/files.h"
#include "../../../relay/store/segment.h"
#include "place.h"
#include "relay/store/identity.h"
#include "stream.h"

enum { SEGMENT = 4096 };

enum bench_death { BENCH_LIVES, BENCH_DIES_BEFORE_SAVE, BENCH_DIES_AFTER_SAVE };

struct bench {
    struct place place;
    struct identity identity;
    struct tail *tail;
    struct backlog_dependencies dependencies;
    struct backlog *backlog;
    unsigned saves;
    int save_error; /* 0: saving works */
    enum bench_death death;
};

static inline bool bench_save(void *arg, struct text *why)
{
    struct bench *bench = arg;
    bench->saves++;
    if (bench->death == BENCH_DIES_BEFORE_SAVE)
        _exit(0);
    if (bench->save_error != 0) {
        text_format(why, "identity: %s", strerror(bench->save_error));
        errno = bench->save_error;
        return false;
    }
    struct text content;
    text_init(&content, 1 << 20);
    identity_format(&bench->identity, &content);
    bool good = files_replace(bench->place.directory, "identity", text_bytes(&content), false, why);
    text_fini(&content);
    if (bench->death == BENCH_DIES_AFTER_SAVE)
        _exit(good ? 0 : 1);
    return good;
}

static inline bool bench_name(void *arg, const struct identity_segment *row, struct text *why)
{
    (void)row;
    return bench_save(arg, why);
}

static inline void bench_init(struct bench *bench, uint64_t first, uint64_t window, uint64_t max)
{
    memset(bench, 0, sizeof(*bench));
    place_init(&bench->place);
    struct replid id = replid_none();
    id.hex[0] = 'a';
    identity_init(&bench->identity, &id);
    struct text why;
    text_init(&why, 300);
    bench->tail = tail_open(bench->place.directory, &why);
    assert_non_null(bench->tail);
    bench->dependencies = (struct backlog_dependencies){
        .directory = bench->place.directory,
        .window_bytes = window,
        .window_bytes_max = max,
        .segment_bytes = SEGMENT,
        .identity = &bench->identity,
        .tail = bench->tail,
        .name = bench_name,
        .arg = bench,
    };
    bench->backlog = backlog_new(&bench->dependencies, first, &why);
    if (bench->backlog == NULL ||
        !segment_make_file(backlog_newest(bench->backlog), bench->place.directory, &why))
        fail_msg("%s", text_string(&why));
    backlog_set_place(bench->backlog, bench->place.directory, bench->tail);
    assert_true(bench_save(bench, &why));
    text_fini(&why);
}

static inline void bench_fini(struct bench *bench)
{
    backlog_free(&bench->backlog);
    tail_close(&bench->tail);
    identity_fini(&bench->identity);
    place_fini(&bench->place);
}

/* What the start has not waited for. */
static inline void bench_prove(struct bench *bench)
{
    struct text why;
    text_init(&why, 300);
    struct backlog_gap gap;
    while (backlog_next_unproven(bench->backlog, &gap)) {
        assert_false(gap.is_in_head); /* segments are too small for points */
        struct segment_space *space = backlog_hold_space(bench->backlog);
        struct segment *segment = segment_load_proven(bench->place.directory, gap.first, gap.end,
                                                      gap.crc, 0, space, NULL, &why);
        segment_space_release(space);
        if (segment == NULL)
            backlog_give_up_unproven(bench->backlog);
        else
            assert_true(backlog_admit(bench->backlog, &gap, segment));
    }
    text_fini(&why);
}

/* As after the process was killed: nothing is closed properly, all is read again. What cursors hold
 * of before must have been let go. */
static inline void bench_reload(struct bench *bench)
{
    backlog_newest(bench->backlog)->has_name = false; /* the dead do not seal */
    backlog_free(&bench->backlog);
    struct text file;
    struct text why;
    text_init(&file, 1 << 20);
    text_init(&why, 300);
    assert_true(files_read(bench->place.directory, "identity", &file, &why));
    identity_fini(&bench->identity);
    assert_true(identity_parse(text_bytes(&file), &bench->identity, &why));
    tail_close(&bench->tail);
    bench->tail = tail_open(bench->place.directory, &why);
    assert_non_null(bench->tail);
    bench->dependencies.tail = bench->tail;
    bench->backlog = backlog_load(&bench->dependencies, &why);
    if (bench->backlog == NULL)
        fail_msg("%s", text_string(&why));
    bench_prove(bench);
    text_fini(&file);
    text_fini(&why);
}

static inline void bench_rewind(struct bench *bench, uint64_t offset)
{
    struct text why;
    text_init(&why, 300);
    if (!backlog_begin_cut(bench->backlog, offset, &why) || !bench_save(bench, &why))
        fail_msg("%s", text_string(&why));
    backlog_end_cut(bench->backlog);
    text_fini(&why);
}

#endif
