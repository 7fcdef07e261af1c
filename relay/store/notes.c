/* SPDX-License-Identifier: MIT */
#include "notes.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <unistd.h>

#include "files.h"
#include "relay/base/log.h"
#include "relay/os/file.h"
#include "relay/store/store_notes.h"
#include "syncer.h"

enum { NOTE_LENGTH_MAX = 64 * 1024 };

static const char *const note_names[NOTES_COUNT] = {STORE_NOTE_PRIMARY, STORE_NOTE_REFRESH,
                                                    STORE_NOTE_VERSIONS, STORE_NOTE_HOLDS};

bool notes_is_name(const char *name)
{
    for (size_t i = 0; i < NOTES_COUNT; i++) {
        if (strcmp(name, note_names[i]) == 0)
            return true;
    }
    return false;
}

bool notes_is_half(const char *name)
{
    for (size_t i = 0; i < NOTES_COUNT; i++) {
        size_t stem = strlen(note_names[i]);
        if (strncmp(name, note_names[i], stem) == 0 && strcmp(name + stem, ".new") == 0)
            return true;
    }
    return false;
}

/* On the file thread. */
static bool write_note(struct file_job *job, struct error *error)
{
    const struct note *note = (const struct note *)(void *)job;
    const struct notes *notes = note->notes;
    if (note->writing.length == 0)
        return unlinkat(notes->directory, note->name, 0) == 0 || errno == ENOENT ||
               error_set_system(error, errno, "%s: cannot remove", note->name);
    const struct file_replacement replacement = {.content = text_bytes(&note->writing)};
    if (!file_replace(notes->directory, note->name, &replacement, error))
        return false;
    /* Where it cannot be submitted it is durable when the system writes it, after half a minute. */
    if (note->is_durable)
        (void)!syncer_submit_file(notes->syncer, notes->directory, note->name);
    return true;
}

void notes_init(struct notes *notes, int directory, struct file_thread *files,
                struct syncer *syncer)
{
    *notes = (struct notes){.directory = directory, .files = files, .syncer = syncer};
    for (size_t i = 0; i < NOTES_COUNT; i++) {
        struct note *note = &notes->rows[i];
        note->job.work = write_note;
        note->notes = notes;
        note->name = note_names[i];
        text_init(&note->writing, NOTE_LENGTH_MAX);
        text_init(&note->next, NOTE_LENGTH_MAX);
    }
}

static void note_begin(struct note *note)
{
    struct text free_one = note->writing;
    note->writing = note->next;
    note->next = free_one;
    text_clear(&note->next);
    note->is_durable = note->next_is_durable;
    note->has_next = false;
    file_job_begin(&note->job, note->notes->files);
}

static void note_take(struct note *note)
{
    if (!file_job_take(&note->job))
        return;
    if (!note->job.is_good)
        log_warnx("store: a restart will not find the newest note \"%s\": %s", note->name,
                  note->job.error.text);
    if (note->has_next)
        note_begin(note);
}

void notes_take(struct notes *notes)
{
    for (size_t i = 0; i < NOTES_COUNT; i++)
        note_take(&notes->rows[i]);
}

static bool has_jobs(const struct notes *notes)
{
    bool found = false;
    for (size_t i = 0; i < NOTES_COUNT; i++)
        found = found || notes->rows[i].job.is_under_way;
    return found;
}

void notes_fini(struct notes *notes)
{
    while (has_jobs(notes)) {
        file_thread_drain(notes->files);
        notes_take(notes);
    }
    for (size_t i = 0; i < NOTES_COUNT; i++) {
        text_fini(&notes->rows[i].writing);
        text_fini(&notes->rows[i].next);
    }
}

static struct note *note_of(const struct notes *notes, const char *name)
{
    const struct note *found = NULL;
    for (size_t i = 0; i < NOTES_COUNT; i++) {
        if (strcmp(name, notes->rows[i].name) == 0)
            found = &notes->rows[i];
    }
    CHECK(found != NULL);
    return (struct note *)(uintptr_t)found;
}

bool notes_keep(struct notes *notes, const char *name, struct bytes content, bool is_durable,
                struct text *why)
{
    struct note *note = note_of(notes, name);
    text_clear(&note->next);
    text_append(&note->next, content);
    if (note->next.failed) {
        text_format(why, "%s: out of memory", name);
        note->has_next = false;
        return false;
    }
    note->has_next = true;
    note->next_is_durable = is_durable;
    note_take(note);
    if (!note->job.is_under_way && note->has_next)
        note_begin(note);
    note_take(note);
    return true;
}

bool notes_read(const struct notes *notes, const char *name, struct text *out, struct text *why)
{
    const struct note *note = note_of(notes, name);
    if (note->has_next || note->job.is_under_way) {
        text_append(out, text_bytes(note->has_next ? &note->next : &note->writing));
        return true;
    }
    if (faccessat(notes->directory, name, F_OK, 0) == -1 && errno == ENOENT)
        return true;
    return files_read(notes->directory, name, out, why);
}

bool notes_are_pending(const struct notes *notes, const char *name)
{
    const struct note *note = note_of(notes, name);
    return note->has_next || file_job_is_busy(&note->job);
}
