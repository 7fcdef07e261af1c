/* SPDX-License-Identifier: MIT */
#include "removal.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>

#include "file_thread.h"
#include "reclaimer.h"
#include "relay/base/log.h"

enum { REMOVAL_NAME_MAX = 64 };

struct removal {
    struct thread_job job; /* first: the job is the removal */
    struct removal *next;  /* gathered */
    struct remover remover;
    int directory;
    uint64_t bytes;
    char name[REMOVAL_NAME_MAX];
};

static void remove_now(const struct remover *remover, int directory, const char *name)
{
    if (!reclaimer_unlink(remover->reclaimer, directory, name) && errno != ENOENT)
        log_warn("store: cannot remove %s", name);
}

static void removal_in_turn(struct thread_job *job)
{
    struct removal *removal = (struct removal *)(void *)job;
    remove_now(&removal->remover, removal->directory, removal->name);
    reclaimer_announced_done(removal->remover.reclaimer, removal->bytes);
    free(removal);
}

static void removal_submit(struct removal *removal)
{
    removal->job.work = removal_in_turn;
    reclaimer_announce(removal->remover.reclaimer, removal->bytes);
    file_thread_submit(removal->remover.files, &removal->job);
}

void removal_ask(const struct remover *remover, int directory, const char *name, uint64_t bytes,
                 struct removals *gathered)
{
    struct removal *removal = calloc(1, sizeof(*removal));
    if (removal == NULL && gathered != NULL) {
        log_warnx("store: %s stays until the next start: out of memory", name);
        return;
    }
    if (removal == NULL) { /* it waits for the disk, behind those whose names may be given anew */
        file_thread_drain(remover->files);
        remove_now(remover, directory, name);
        return;
    }
    removal->remover = *remover;
    removal->directory = directory;
    removal->bytes = bytes;
    snprintf(removal->name, sizeof(removal->name), "%s", name);
    if (gathered == NULL) {
        removal_submit(removal);
        return;
    }
    removal->next = gathered->first;
    gathered->first = removal;
}

void removals_submit(struct removals *gathered)
{
    while (gathered->first != NULL) {
        struct removal *removal = gathered->first;
        gathered->first = removal->next;
        removal_submit(removal);
    }
}

void removals_forget(struct removals *gathered)
{
    while (gathered->first != NULL) {
        struct removal *removal = gathered->first;
        gathered->first = removal->next;
        free(removal);
    }
}
