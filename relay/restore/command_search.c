/* SPDX-License-Identifier: MIT */
#include "command_search.h"

#include <inttypes.h>

void command_search_init(struct command_search *search, uint64_t offset, const char *name,
                         struct bytes key, uint64_t after)
{
    *search = (struct command_search){.name = name, .after = after};
    command_scanner_init(&search->scanner, offset, key);
}

static bool is_looked_for(const struct command_search *search)
{
    const struct command_scanner *scanner = &search->scanner;
    if (scanner->count == 0 || scanner->begin < search->after)
        return false;
    return search->name != NULL ? command_scanner_is(scanner, search->name) : scanner->has_key;
}

bool command_search_feed(struct command_search *search, struct bytes view, struct error *error)
{
    struct command_scanner *scanner = &search->scanner;
    uint64_t boundary = scanner->boundary;
    enum command_scan scan;
    while ((scan = command_scanner_next(scanner, &view)) == COMMAND_SCAN_COMMAND) {
        if (is_looked_for(search)) {
            search->found++;
            search->begin = scanner->begin;
            search->cut = boundary;
        }
        boundary = scanner->boundary;
    }
    return scan != COMMAND_SCAN_BROKEN ||
           error_set(error, ERROR_DAMAGED, "the stream is broken at offset %" PRIu64 ": %s",
                     scanner->offset, scanner->error);
}
