/* SPDX-License-Identifier: MIT
 *
 * The making, loading and ending of histories, for store.c. Thread: thread 0.
 */
#ifndef RELAY_STORE_HISTORY_KEEPER_H
#define RELAY_STORE_HISTORY_KEEPER_H

#include <stdbool.h>
#include <stdint.h>

#include "relay/base/check.h"
#include "relay/base/replid.h"
#include "relay/base/text.h"
#include "relay/store/history.h"
#include "relay/store/store.h"

struct syncer;

enum { HISTORY_NAME_MAX = 40 };
void history_name(uint64_t number, char name[HISTORY_NAME_MAX]);

/* The number that a directory name like "history-7" tells. False: not such a name. */
MUST_CHECK bool history_parse_name(const char *name, uint64_t *number);

/* A new directory, with a snapshot that is about to arrive and an empty backlog. NULL: `why`. */
MUST_CHECK struct history *history_new(int data_dir, uint64_t number,
                                       const struct store_options *options, struct syncer *syncer,
                                       const struct replid *replid, uint64_t offset,
                                       struct text *why);

/* What a directory proves. NULL: nothing that can be served now; `why`, and *is_unproven: nor ever, it
 * may be removed. Otherwise the system refused us, and the next start may fare better. */
MUST_CHECK struct history *history_load(int data_dir, uint64_t number,
                                        const struct store_options *options, struct syncer *syncer,
                                        bool *is_unproven, struct text *why);

/* Makes all of it durable and lets go; the files stay. */
void history_close(struct history **history);

/* Lets go, and takes its files off the disk. */
void history_remove(struct history **history);

/* Takes the files of a history that is not open off the disk; what is not ours stays. */
void history_remove_files(int data_dir, uint64_t number);

/* Writes the identity. `durable`: it survives a power failure on return. False: `why`. */
MUST_CHECK bool history_save(struct history *history, bool durable, struct text *why);

/* Shows readers what has come. True if anything is new to them. */
bool history_publish(struct history *history);

/* Gives up what the window need not hold. */
void history_trim(struct history *history);

/* Asks the syncer to make durable what is there, if something is and it is not at it already. */
void history_sync(struct history *history);

#endif
