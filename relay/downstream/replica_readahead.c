/* SPDX-License-Identifier: MIT */
#include <errno.h>
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include "readahead.h"
#include "relay/base/log.h"
#include "replica_private.h"

/* Where descriptors or memory are out, the next tick tries again. */
void replica_read_ahead(struct replica *replica)
{
    if (replica->job == NULL)
        replica->job = calloc(1, sizeof(*replica->job));
    struct readahead_job *job = replica->job;
    struct feed_piece piece;
    if (job == NULL || job->is_under_way || !feed_wants(&replica->feed, &piece))
        return;
    job->owner = replica;
    job->file = piece.file;
    job->position = piece.position;
    job->length = piece.length;
    replica->piece = piece;
    struct error error;
    if (!readahead_submit(replica->readahead, job, &error))
        log_warnx("downstream: replica id=%" PRIu64 " addr=%s: cannot read ahead: %s",
                  replica->stats->id, replica->stats->peer, error.text);
}

/* What was only to be read for later is asked for again when it is due. */
static void replica_on_unreadable(struct replica *replica, int number)
{
    if (!replica->waits_for_disk)
        return;
    /* There may be a better reason by now: it has lagged, the history was cut. Reading what is no more fails, too. */
    replica_check(replica);
    if (replica_is_closing(replica))
        return;
    log_warnx("downstream: replica id=%" PRIu64 " addr=%s: cannot read what comes next: %s",
              replica->stats->id, replica->stats->peer, strerror(number));
    /* What the disk says, and not that a descriptor or memory was missing: only then is the data given up. */
    if (number == EIO || number == ENODATA)
        feed_note_unreadable(&replica->feed);
    replica_close(replica, CLOSE_UNREADABLE);
}

void replica_on_read(struct readahead_job *job)
{
    struct replica *replica = job->owner;
    job->is_under_way = false;
    if (replica == NULL) {
        free(job);
        return;
    }
    if (job->number != 0) {
        replica_on_unreadable(replica, job->number);
        return;
    }
    feed_note_read(&replica->feed, &replica->piece, job->was_cached);
    if (replica->waits_for_disk)
        replica_queue(replica);
    /* The next piece is read while this one is sent. */
    replica_read_ahead(replica);
}

void replica_let_go_of_job(struct replica *replica)
{
    if (replica->job->is_under_way)
        replica->job->owner = NULL;
    else
        free(replica->job);
    replica->job = NULL;
}
