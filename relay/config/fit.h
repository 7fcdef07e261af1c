/* SPDX-License-Identifier: MIT
 *
 * What settings must be to each other, where one alone is right: asked when all are known, at the start
 * and when one is to change while the relay runs. Pure.
 */
#ifndef RELAY_CONFIG_FIT_H
#define RELAY_CONFIG_FIT_H

struct config;

/* `place` is that of the setting at fault in the config, `why` what would be right. */
typedef void fit_fn(const void *place, const char *why, void *arg);

/* Calls `fn` for each pair of settings that does not fit. */
void fit_look(const struct config *config, fit_fn *fn, void *arg);

/* Works the options of the components out of settings that may change while the relay runs. */
void fit_settle(struct config *config);

#endif
