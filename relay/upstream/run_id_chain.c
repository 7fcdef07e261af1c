/* SPDX-License-Identifier: MIT */
#include "run_id_chain.h"

#include <string.h>

/* All of it or nothing: a chain with a gap would hide a relay that is above us. */
void run_id_chain_parse(struct bytes value, struct run_id_chain *out)
{
    const struct run_id_chain none = {.is_complete = out->is_complete};
    struct replid id;
    *out = none;
    while (value.length > 0) {
        size_t length = bytes_find(value, ',');
        if (out->count == RUN_ID_CHAIN_MAX || !replid_parse(bytes_first(value, length), &id)) {
            *out = none;
            return;
        }
        memcpy(out->at[out->count++], id.hex, sizeof(out->at[0]));
        value = bytes_skip(value, length < value.length ? length + 1 : length);
    }
}

void run_id_chain_extend(const char *run_id, bool is_primary, const struct run_id_chain *above,
                         struct run_id_chain *out)
{
    memset(out, 0, sizeof(*out));
    if (run_id[0] == '\0')
        return;
    /* One that becomes too long loses its far end, and does not lead to a primary any more as
     * far as is known. */
    size_t kept = above->count < RUN_ID_CHAIN_MAX ? above->count : RUN_ID_CHAIN_MAX - 1;
    memcpy(out->at[0], run_id, strnlen(run_id, REPLID_DIGITS));
    memcpy(out->at[1], above->at[0], kept * sizeof(above->at[0]));
    out->count = kept + 1;
    out->is_complete =
        is_primary || (above->count > 0 && above->is_complete && kept == above->count);
}

bool run_id_chain_has(const struct run_id_chain *chain, const char *run_id)
{
    for (size_t i = 0; i < chain->count; i++) {
        if (strcmp(chain->at[i], run_id) == 0)
            return true;
    }
    return false;
}

void run_id_chain_format(const struct run_id_chain *chain, struct text *out)
{
    for (size_t i = 0; i < chain->count; i++)
        text_format(out, "%s%s", i > 0 ? "," : "", chain->at[i]);
}
