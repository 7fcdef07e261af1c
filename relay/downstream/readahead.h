/* SPDX-License-Identifier: MIT
 *
 * Reads for a worker what its replicas need next and the page cache does not have, so that the worker
 * itself never waits for the disk:
 *
 *     worker                                          reader threads
 *       the next bytes are not in the page cache
 *       readahead_submit(job)  ------ queue ------->    read the job's bytes, and throw them away:
 *       sends to others                                 they are in the page cache now
 *       the job comes home     <----- mailbox ------
 *       sends them
 *
 * A replica has at most one job under way, and jobs are done in the order in which they came: so cold
 * replicas take turns, and the queue is no longer than there are replicas. A disk that does not answer
 * keeps the replicas waiting that need it, and nobody else.
 *
 * A job has a descriptor of its own: it keeps no segment and no snapshot, and a replica that closes
 * does not wait for it.
 *
 * Owner: the worker. Thread: the worker's, but for new and free. The lock in here is taken a few
 * times a job, never per byte.
 */
#ifndef RELAY_DOWNSTREAM_READAHEAD_H
#define RELAY_DOWNSTREAM_READAHEAD_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "relay/base/check.h"
#include "relay/base/error.h"
#include "relay/net/mailbox.h"

struct readahead;

struct readahead_job {
    struct message message; /* first: the message is the job */
    struct readahead_job *next;
    void *owner; /* the submitter's: whose bytes they are; NULL: nobody's any more */
    bool is_under_way;

    /* What to read. The submitter sets them. */
    int file; /* replaced by a descriptor of the job's own while it is under way */
    uint64_t position;
    size_t length;

    /* The answer. */
    int number;      /* 0: it is in the page cache; else an errno */
    bool was_cached; /* nothing had to be read */
};

/* Jobs come back as messages to `home`. The threads are started for the first one: where everything is in
 * the page cache there are none. NULL: out of memory. */
MUST_CHECK struct readahead *readahead_new(struct mailbox *home);

/* False: out of descriptors, threads or memory (`error`), and the job is not under way. */
MUST_CHECK bool readahead_submit(struct readahead *readahead, struct readahead_job *job,
                                 struct error *error);

/* Ends the threads when they have done what they are at; jobs that nobody has begun come home with
 * ECANCELED. */
void readahead_free(struct readahead **readahead);

#endif
