/* SPDX-License-Identifier: MIT */
#include "relay/upstream/primary_rights.h"

#include "relay/base/check.h"

static const struct {
    unsigned right;
    const char *word;
    const char *cost;
} rows[] = {
    {PRIMARY_RIGHT_INFO, "+info",
     "Without INFO the relay cannot know where a promoted server's history parts from the one it "
     "holds, "
     "so that a failover after a crash costs a full sync, nor which version the primary has, nor "
     "whether "
     "it is a primary."},
    {PRIMARY_RIGHT_REPLCONF, "+replconf",
     "Without REPLCONF nothing can be acknowledged: the primary ends the connection."},
    {PRIMARY_RIGHT_PSYNC, "+psync", "Without PSYNC there is no replication."},
};

void primary_rights_words(unsigned denied, struct text *out)
{
    bool is_first = true;
    for (size_t i = 0; i < LENGTH_OF(rows); i++) {
        if ((denied & rows[i].right) == 0)
            continue;
        text_format(out, "%s%s", is_first ? "" : " ", rows[i].word);
        is_first = false;
    }
}

void primary_rights_costs(unsigned denied, struct text *out)
{
    bool is_first = true;
    for (size_t i = 0; i < LENGTH_OF(rows); i++) {
        if ((denied & rows[i].right) == 0)
            continue;
        text_format(out, "%s%s", is_first ? "" : " ", rows[i].cost);
        is_first = false;
    }
}

bool primary_rights_suffice(unsigned denied)
{
    return (denied & (PRIMARY_RIGHT_REPLCONF | PRIMARY_RIGHT_PSYNC)) == 0;
}
