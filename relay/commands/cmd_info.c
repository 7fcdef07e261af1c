/* SPDX-License-Identifier: MIT
 *
 * INFO: a table of sections. Names and order of fields are those of redis-server (docs/protocol.md 5.1), because monitors
 * look for them. Fields that only a relay has stand at the end of a section, or in "Relay" and "Store". A field whose
 * value is not known is left out.
 */
#include "handlers.h"
#include "info_moment.h"
#include "info_sections.h"
#include "relay/base/report.h"
#include "request.h"

enum { INFO_LENGTH_MAX = 8 * 1024 * 1024 };

static const struct {
    const char *name;
    bool is_default; /* in a plain INFO; `all` and `everything` have all sections */
    info_section_fn *write;
} sections[] = {
    {"server", true, info_server},
    {"clients", true, info_clients},
    {"memory", true, info_memory},
    {"persistence", true, info_persistence},
    {"stats", true, info_stats},
    {"replication", true, info_replication},
    {"cpu", true, info_cpu},
    {"modules", true, info_modules},
    {"commandstats", false, info_commandstats},
    {"errorstats", true, info_errorstats},
    {"latencystats", false, info_latencystats},
    {"cluster", true, info_cluster},
    {"keyspace", true, info_keyspace},
    {"tls", true, info_tls},
    {"relay", true, info_relay},
    {"store", true, info_store},
    {"archive", true, info_archive},
};

static bool is_section_asked_for(const struct request *request, size_t section)
{
    if (argument_count(request) == 1)
        return sections[section].is_default;
    for (size_t i = 1; i < argument_count(request); i++) {
        if (argument_is(request, i, "all") || argument_is(request, i, "everything") ||
            argument_is(request, i, sections[section].name))
            return true;
        if (argument_is(request, i, "default") && sections[section].is_default)
            return true;
    }
    return false;
}

static bool has_replica_lines(info_section_fn *write)
{
    return write == info_replication || write == info_store || write == info_relay;
}

void on_info(struct request *request)
{
    struct text out;
    text_init(&out, INFO_LENGTH_MAX);
    struct report report = {.out = &out};
    struct info_moment moment;
    bool has_lines = false;
    for (size_t i = 0; i < LENGTH_OF(sections); i++)
        has_lines =
            has_lines || (has_replica_lines(sections[i].write) && is_section_asked_for(request, i));
    info_moment_take(&moment, request->commands, has_lines);
    for (size_t i = 0; i < LENGTH_OF(sections); i++) {
        if (is_section_asked_for(request, i))
            sections[i].write(&moment, &report);
    }
    info_moment_fini(&moment);
    if (out.failed)
        write_error(request->writer, "ERR the reply is too long: ask for single sections");
    else
        write_verbatim(request->writer, text_bytes(&out));
    text_fini(&out);
}
