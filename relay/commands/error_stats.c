/* SPDX-License-Identifier: MIT */
#include "error_stats.h"

#include <string.h>

bool error_stats_is_error(struct bytes reply)
{
    return reply.length > 0 && reply.data[0] == '-';
}

void error_stats_note(struct error_stats *stats, struct bytes reply)
{
    if (!error_stats_is_error(reply))
        return;
    char code[ERROR_CODE_MAX];
    size_t length = bytes_find(reply, ' ');
    if (length > ERROR_CODE_MAX)
        length = ERROR_CODE_MAX;
    bytes_printable(bytes_skip(bytes_first(reply, length), 1), code, sizeof(code));
    stats->total++;
    for (unsigned i = 0; i < stats->kinds; i++) {
        if (strcmp(stats->of[i].code, code) == 0) {
            stats->of[i].count++;
            return;
        }
    }
    if (stats->kinds == ERROR_KINDS_MAX)
        return; /* all first words are ours, and there are fewer of them */
    struct error_count *kind = &stats->of[stats->kinds++];
    memcpy(kind->code, code, sizeof(code));
    kind->count = 1;
}
