/* SPDX-License-Identifier: MIT
 *
 * What is wrong, in plain words, and what to do about it: rules over a picture. Pure. Any thread.
 */
#ifndef RELAY_STATUS_FINDINGS_H
#define RELAY_STATUS_FINDINGS_H

#include "picture.h"

enum severity {
    SEVERITY_PROBLEM, /* something does not work, or is about to stop working */
    SEVERITY_WARNING, /* it works, and needs a look */
    SEVERITY_NOTE,    /* nothing to do */
};

enum { FINDING_LENGTH_MAX = 600 };

struct finding {
    enum severity severity;
    const char *name; /* stable, for machines: "link_down" */
    char what[FINDING_LENGTH_MAX];
    char advice[FINDING_LENGTH_MAX];
};

typedef void finding_fn(const struct finding *finding, void *arg);

const char *severity_name(enum severity severity);

/* How many links of the relays above us have been down for more than a moment. */
unsigned findings_hops_down(const struct hops *hops);

/* Calls `fn` for each, the worst first. */
void findings_each(const struct picture *picture, finding_fn *fn, void *arg);

#endif
