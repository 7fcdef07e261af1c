/* SPDX-License-Identifier: MIT */
#include "relay/upstream/origin_rights.h"

#include "relay/base/check.h"

static const struct {
    unsigned right;
    const char *word;
    const char *cost;
} rows[] = {
    {ORIGIN_RIGHT_INFO, "+info",
     "Without INFO the relay cannot know where a promoted server's history parts from the one it "
     "holds, "
     "so that a fail-over after a crash costs a full sync, nor which version the origin has, nor "
     "whether "
     "it is a primary."},
    {ORIGIN_RIGHT_REPLCONF, "+replconf",
     "Without REPLCONF nothing can be acknowledged: the origin ends the connection."},
    {ORIGIN_RIGHT_PSYNC, "+psync", "Without PSYNC there is no replication."},
};

void origin_rights_words(unsigned denied, struct text *out)
{
    bool is_first = true;
    for (size_t i = 0; i < LENGTH_OF(rows); i++) {
        if ((denied & rows[i].right) == 0)
            continue;
        text_format(out, "%s%s", is_first ? "" : " ", rows[i].word);
        is_first = false;
    }
}

void origin_rights_costs(unsigned denied, struct text *out)
{
    bool is_first = true;
    for (size_t i = 0; i < LENGTH_OF(rows); i++) {
        if ((denied & rows[i].right) == 0)
            continue;
        text_format(out, "%s%s", is_first ? "" : " ", rows[i].cost);
        is_first = false;
    }
}

bool origin_rights_suffice(unsigned denied)
{
    return (denied & (ORIGIN_RIGHT_REPLCONF | ORIGIN_RIGHT_PSYNC)) == 0;
}
