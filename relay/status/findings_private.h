/* SPDX-License-Identifier: MIT
 *
 * The rules behind findings.h, and the words that they share. A rule looks at a picture; where it holds it
 * fills finding->what and finding->advice and returns true. One file a topic; findings.c has the table of all
 * rules, with their names and in the order in which they are told. Pure. Any thread.
 */
#ifndef RELAY_STATUS_FINDINGS_PRIVATE_H
#define RELAY_STATUS_FINDINGS_PRIVATE_H

#include <stdbool.h>
#include <stdint.h>

#include "findings.h"
#include "relay/base/check.h"

typedef bool finding_rule_fn(const struct picture *picture, struct finding *finding);

/* findings_upstream.c: the link, those above it, and what the server there lets us do. */
finding_rule_fn finds_no_primary, finds_link_down, finds_other_history, finds_hop_down,
    finds_silent_stream, finds_old_history, finds_sync, finds_cut_off, finds_no_rights,
    finds_sync_backlog_full, finds_few_rights, finds_version_raised;

/* findings_store.c: the disk, the RDB and the backlog on it. */
finding_rule_fn finds_disk_trouble, finds_disk_low, finds_no_snapshot, finds_refresh_failed,
    finds_refresh_outrun, finds_window_held;

/* findings_archive.c: what is shipped away. */
finding_rule_fn finds_archive_failing, finds_archive_hanging, finds_archive_gap;

/* findings_replicas.c: replicas and clients. */
finding_rule_fn finds_behind, finds_link_too_small, finds_held, finds_nearly_cut, finds_silent,
    finds_failing, finds_waiting, finds_paused, finds_connections_full;

/* findings_tls.c: certificates. */
finding_rule_fn finds_certificate_expires, finds_certificate_expires_soon;

/* ---- words ---- */

enum { FINDING_WORD_MAX = 48, FINDING_SUBJECT_MAX = ROW_ADDRESS_MAX + 48 };

/* "1.5 GiB" */
const char *finding_size(uint64_t bytes, char out[FINDING_WORD_MAX]);

/* "90 s", "3 min", "5 h", "3 days" */
const char *finding_time(int64_t ms, char out[FINDING_WORD_MAX]);

/* "The replica 10.0.0.7:6379", or "3 replicas, 10.0.0.7:6379 the most,". */
const char *finding_subject(uint64_t count, const char *address, uint16_t port,
                            char out[FINDING_SUBJECT_MAX]);

/* Formats a sentence, cut where it is too long. Returns true: a rule that has said something holds. */
bool finding_say(char out[FINDING_LENGTH_MAX], const char *format, ...) PRINTF_LIKE(2, 3);

#endif
