/* SPDX-License-Identifier: MIT
 *
 * A process that only reads the data directory, beside the relay or while it does not run, as `psync-relay restore` does:
 * with the functions of store/history_view.h. What it reads has to be of one moment and true: bytes, RDBs, and the
 * time index, whose offsets rise, and each of whose entries names a time by which its bytes had been written.
 */
#ifndef TESTS_SIM_READER_H
#define TESTS_SIM_READER_H

#include <stdbool.h>

struct process;

/* On the host of the relay. */
struct process *reader_new(struct process *relay);
/* Looks once, if it does not look already. */
void reader_look(struct process *reader);
/* How many histories all readers of this run have seen. */
unsigned reader_views(void);

#endif
