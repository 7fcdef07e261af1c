/* SPDX-License-Identifier: MIT */
#include "archiver.h"

#include <errno.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/eventfd.h>
#include <unistd.h>

#include "relay/archive/command_words.h"
#include "relay/base/clock.h"
#include "relay/base/thread.h"
#include "relay/os/child.h"
#include "relay/store/archive_folder.h"
#include "shipment.h"
#include "staging.h"

enum { OUTPUT_MAX = 16 * 1024, PATH_LENGTH_MAX = 4096 };

struct archiver {
    pthread_t thread;
    pthread_mutex_t lock; /* of the four below */
    pthread_cond_t changed;
    struct shipment *shipment; /* that is under way; NULL: none */
    bool is_done;              /* it is over, and not taken yet */
    bool stopping;
    const char *data_dir; /* the caller's */
    int folder;           /* -1: not open yet */
    int stop;             /* readable: the command is to end */
    _Atomic int64_t running_since_ms;
    void (*on_done)(void *arg);
    void *arg;
};

/* ------------------------------------------------------------------ the command */

/* The last line that a command has written: what says why it failed. */
static void note_output(struct shipment *shipment, const struct text *output)
{
    struct bytes rest = bytes_trim(text_bytes(output));
    while (rest.length > 0 && rest.data[rest.length - 1] == '\n')
        rest = bytes_trim(bytes_first(rest, rest.length - 1));
    for (size_t at = bytes_find(rest, '\n'); at < rest.length; at = bytes_find(rest, '\n'))
        rest = bytes_skip(rest, at + 1);
    shipment->output[0] = '\0';
    if (rest.length > 0)
        (void)bytes_printable(rest, shipment->output, sizeof(shipment->output));
}

static bool run_words(struct archiver *archiver, const struct command_words *words,
                      struct shipment *shipment, struct error *error)
{
    struct text output;
    struct child_outcome outcome;
    text_init(&output, OUTPUT_MAX);
    const struct child_request request = {.argv = words->argv,
                                          .limit_ms = shipment->limit_ms,
                                          .stop = archiver->stop,
                                          .output = &output};
    atomic_store_explicit(&archiver->running_since_ms, clock_ms(), memory_order_relaxed);
    child_run(&request, &outcome);
    atomic_store_explicit(&archiver->running_since_ms, 0, memory_order_relaxed);
    note_output(shipment, &output);
    text_fini(&output);
    return child_is_good(&outcome, error);
}

static bool run_command(struct archiver *archiver, struct shipment *shipment, bool is_manifest,
                        struct error *error)
{
    char name[OBJECT_NAME_MAX];
    char path[PATH_LENGTH_MAX + OBJECT_NAME_MAX + sizeof(STORE_ARCHIVE_FOLDER) + 2];
    char *directory = realpath(archiver->data_dir, NULL);
    struct command_words words;
    if (directory == NULL)
        return error_set_system(error, errno, "%.200s", archiver->data_dir);
    object_name_format(&shipment->manifest.name, is_manifest, name);
    snprintf(path, sizeof(path), "%s/" STORE_ARCHIVE_FOLDER "/%s", directory, name);
    free(directory);
    if (!command_words_make(shipment->command, path, name, &words, error))
        return false;
    bool good = run_words(archiver, &words, shipment, error);
    command_words_free(&words);
    return good;
}

/* ------------------------------------------------------------------ the work */

static bool ship(struct archiver *archiver, struct shipment *shipment)
{
    struct error *error = &shipment->error;
    shipment->output[0] = '\0';
    if (!shipment->is_staged && !staging_make(archiver->folder, shipment, error))
        return false;
    if (shipment->is_idle_only)
        return true;
    if (!shipment->has_shipped && !run_command(archiver, shipment, false, error))
        return false;
    shipment->has_shipped = true;
    if (!run_command(archiver, shipment, true, error))
        return false;
    if (shipment->manifest.name.kind == OBJECT_SEGMENT)
        shipment->note.archived = shipment->manifest.end;
    if (!staging_save(archiver->folder, &shipment->note, error))
        return false;
    staging_remove(archiver->folder, &shipment->manifest.name);
    return true;
}

static bool archiver_work(struct archiver *archiver, struct shipment *shipment)
{
    shipment->error = (struct error){.kind = ERROR_NONE};
    if (archiver->folder == -1)
        archiver->folder = staging_open(archiver->data_dir, &shipment->error);
    if (archiver->folder == -1)
        return false;
    switch (shipment->work) {
    case SHIPMENT_FIND:
        return staging_find(archiver->folder, shipment, &shipment->error);
    case SHIPMENT_SAVE:
        return staging_save(archiver->folder, &shipment->note, &shipment->error);
    case SHIPMENT_SHIP:
        return ship(archiver, shipment);
    }
    UNREACHABLE("no such work");
}

/* What was read through goes when it is staged, or could not be. */
static void archiver_let_go(struct shipment *shipment)
{
    cursor_detach(&shipment->cursor);
    if (shipment->file != -1)
        close(shipment->file);
    shipment->file = -1;
}

static void *archiver_run(void *arg)
{
    struct archiver *archiver = arg;
    thread_set_name("archiver");
    CHECK(pthread_mutex_lock(&archiver->lock) == 0);
    for (;;) {
        while (!archiver->stopping && (archiver->shipment == NULL || archiver->is_done))
            CHECK(pthread_cond_wait(&archiver->changed, &archiver->lock) == 0);
        if (archiver->stopping)
            break;
        struct shipment *shipment = archiver->shipment;
        CHECK(pthread_mutex_unlock(&archiver->lock) == 0);
        shipment->is_good = archiver_work(archiver, shipment);
        archiver_let_go(shipment);
        CHECK(pthread_mutex_lock(&archiver->lock) == 0);
        archiver->is_done = true;
        archiver->on_done(archiver->arg);
    }
    CHECK(pthread_mutex_unlock(&archiver->lock) == 0);
    return NULL;
}

/* ------------------------------------------------------------------ from thread 0 */

static void archiver_free(struct archiver *archiver)
{
    if (archiver->folder != -1)
        close(archiver->folder);
    if (archiver->stop != -1)
        close(archiver->stop);
    pthread_mutex_destroy(&archiver->lock);
    pthread_cond_destroy(&archiver->changed);
    free(archiver);
}

struct archiver *archiver_start(const char *data_dir, void (*on_done)(void *arg), void *arg)
{
    struct archiver *archiver = calloc(1, sizeof(*archiver));
    if (archiver == NULL)
        return NULL;
    archiver->data_dir = data_dir;
    archiver->on_done = on_done;
    archiver->arg = arg;
    archiver->folder = -1;
    archiver->stop = eventfd(0, EFD_CLOEXEC);
    pthread_mutex_init(&archiver->lock, NULL);
    thread_cond_init(&archiver->changed);
    if (archiver->stop != -1 && thread_start(&archiver->thread, archiver_run, archiver))
        return archiver;
    archiver_free(archiver);
    return NULL;
}

void archiver_stop(struct archiver **where)
{
    struct archiver *archiver = *where;
    const uint64_t one = 1;
    *where = NULL;
    if (archiver == NULL)
        return;
    CHECK(pthread_mutex_lock(&archiver->lock) == 0);
    archiver->stopping = true;
    CHECK(pthread_cond_signal(&archiver->changed) == 0);
    CHECK(pthread_mutex_unlock(&archiver->lock) == 0);
    (void)!write(archiver->stop, &one, sizeof(one));
    CHECK(pthread_join(archiver->thread, NULL) == 0);
    if (archiver->shipment != NULL)
        archiver_let_go(archiver->shipment); /* it was not begun */
    archiver_free(archiver);
}

void archiver_begin(struct archiver *archiver, struct shipment *shipment)
{
    CHECK(pthread_mutex_lock(&archiver->lock) == 0);
    CHECK(archiver->shipment == NULL);
    archiver->shipment = shipment;
    archiver->is_done = false;
    CHECK(pthread_cond_signal(&archiver->changed) == 0);
    CHECK(pthread_mutex_unlock(&archiver->lock) == 0);
}

bool archiver_take(struct archiver *archiver)
{
    CHECK(pthread_mutex_lock(&archiver->lock) == 0);
    bool is_over = archiver->shipment != NULL && archiver->is_done;
    if (is_over)
        archiver->shipment = NULL;
    CHECK(pthread_mutex_unlock(&archiver->lock) == 0);
    return is_over;
}

int64_t archiver_running_since_ms(const struct archiver *archiver)
{
    return atomic_load_explicit(&archiver->running_since_ms, memory_order_relaxed);
}
