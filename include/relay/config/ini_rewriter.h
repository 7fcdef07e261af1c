/* SPDX-License-Identifier: MIT
 *
 * CONFIG REWRITE: what would be another value at the next start is written to the ini, in which nothing else
 * changes. What --set gives is not, unless it was changed since.
 *
 *     thread 0                                          its own thread, for one rewrite
 *       reads the ini, finds what differs,
 *       makes the new text, and reads that
 *       as the next start would
 *       begins                              ------->     file_replace: writes it beside the old one, fsyncs,
 *                                                        renames, fsyncs the directory
 *       tells who asked                     <-------
 *
 * Reading is what thread 0 does at a SIGHUP, too; all that changes the file system may wait for the disk,
 * and is on the thread. The ini is whole at any moment, and a new one is told only when it is durable. What
 * somebody else writes to it meanwhile is not lost: then the rewrite fails and says so.
 *
 * One rewrite at a time: who asks meanwhile must wait for the next one (relay/commands/rewrites.h), as the one
 * under way does not have what was set since.
 *
 * Owner: relay.c. Thread: thread 0.
 */
#ifndef RELAY_CONFIG_INI_REWRITER_H
#define RELAY_CONFIG_INI_REWRITER_H

#include <stdbool.h>

#include "relay/base/check.h"
#include "relay/base/text.h"
#include "relay/commands/options.h"

struct config;
struct ini_rewriter;
struct loop;

/* The rewrite that was begun has ended. `why` NULL: the ini is in place; else an error reply without its dash, and
 * the ini is as it was, unless only its directory could not be made durable. */
typedef void ini_rewritten_fn(const char *why, void *arg);

/* NULL: out of descriptors or memory. */
MUST_CHECK struct ini_rewriter *ini_rewriter_new(struct loop *loop, ini_rewritten_fn *fn,
                                                 void *arg);

/* None is under way. `may_begin` false: only looks. COMMANDS_REWRITE_REFUSED: `why` is an error reply without its
 * dash, and the ini is as it was. COMMANDS_REWRITE_BEGUN: the outcome comes through ini_rewritten_fn. */
MUST_CHECK enum commands_rewrite ini_rewriter_begin(struct ini_rewriter *rewriter,
                                                    const struct config *config, bool may_begin,
                                                    struct text *why);

/* Is one under way? Until it has ended the old ini may be in place, or the new one. */
bool ini_rewriter_is_busy(const struct ini_rewriter *rewriter);

/* Waits for one that is under way: it is whole. Its outcome is in the log only. */
void ini_rewriter_free(struct ini_rewriter **rewriter);

#endif
