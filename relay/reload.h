/* SPDX-License-Identifier: MIT
 *
 * Settings that change while the relay runs, by CONFIG SET or by a SIGHUP that reads the ini again, and how
 * the open components learn of them. What may change is said in the table of settings (SETTING_LIVE); the
 * rest is named in the log, and waits for a restart.
 *
 * Thread: thread 0.
 */
#ifndef RELAY_RELOAD_H
#define RELAY_RELOAD_H

#include <stdbool.h>
#include <stddef.h>

#include "relay/base/check.h"
#include "relay/base/text.h"
#include "relay/commands/options.h"

struct components;

/* CONFIG SET, for commands_callbacks: all of it, or nothing. `arg` is the components. False: `why` is an error
 * reply without its dash. */
MUST_CHECK bool reload_set(const struct setting_pair *pairs, size_t count, struct text *why,
                           void *arg);

/* CONFIG REWRITE, for commands_callbacks. */
MUST_CHECK enum commands_rewrite reload_rewrite(bool may_begin, struct text *why, void *arg);

/* Reads the ini again, as at the start, and takes over what may change. One with an error in it changes
 * nothing; what is wrong is in the log. */
void reload_ini(struct components *components);

#endif
