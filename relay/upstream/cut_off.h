/* SPDX-License-Identifier: MIT
 *
 * A full sync that the primary has ended by closing the connection: in which phase, what the causes may be, and,
 * when it has been asked in the next handshake, whether its `client-output-buffer-limit` was it and how large
 * that would have to be. Pure. Any thread.
 */
#ifndef RELAY_UPSTREAM_CUT_OFF_H
#define RELAY_UPSTREAM_CUT_OFF_H

#include <stdbool.h>
#include <stdint.h>

#include "primary_info.h"
#include "relay/base/text.h"

enum cut_off_phase {
    CUT_OFF_BEFORE_RDB,    /* +FULLRESYNC was answered, and no RDB began */
    CUT_OFF_IN_RDB,        /* in the midst of it */
    CUT_OFF_BEFORE_STREAM, /* behind it, before the first byte of the stream */
};

enum { CUT_OFF_WORDS_MAX = 512 };

struct cut_off {
    bool exists;
    bool is_judged;
    bool is_relay;                  /* it forks for nobody, and has no such limits */
    struct primary_address primary; /* whose doing it was */
    enum cut_off_phase phase;
    uint64_t x;        /* from where on the stream waited for us */
    uint64_t received; /* of the RDB */
    uint64_t total;    /* 0: it was not told */
    int64_t began_ms;  /* clock_ms of +FULLRESYNC */
    int64_t ended_ms;
};

/* What is known at once, as the end of a sentence: " after 3.0 MB of 10.0 MB of the RDB (12.0 s): ..." `stream` is
 * whether the primary kept the stream for us meanwhile: not for one that wants the RDB only. */
void cut_off_causes(const struct cut_off *cut, bool has_stream, struct text *out);

/* What the primary says afterwards. `disconnections` are those that it had counted when it was asked the last
 * time, NULL: it was not. `what` and `advice` are empty before. True: the limit was it. */
bool cut_off_judge(const struct cut_off *cut, const struct primary_info *info,
                   const uint64_t *disconnections, int64_t now_ms, struct text *what,
                   struct text *advice);

#endif
