/* SPDX-License-Identifier: MIT
 *
 * Kinds of values that only [upstream] has: addresses of primaries and Sentinels, and what is announced. */
#include <string.h>

#include "relay/base/bytes.h"
#include "relay/codec/codec.h"
#include "relay/config/value.h"
#include "relay/net/proxy.h"
#include "relay/net/websocket.h"
#include "relay/resp/rdb_version.h"
#include "relay/upstream/ack.h"
#include "relay/upstream/primary_address.h"
#include "relay/upstream/renames.h"
#include "relay/upstream/sentinel.h"
#include "relay/upstream/snapshot_source.h"

enum { WHY_MAX = 512 };

/* The word that the view begins with; the blanks behind it are skipped. */
static struct bytes value_upstream_take_word(struct bytes *view)
{
    size_t length = 0;
    while (length < view->length && !bytes_is_blank(view->data[length]))
        length++;
    struct bytes word = bytes_first(*view, length);
    *view = bytes_trim(bytes_skip(*view, length));
    return word;
}

static bool is_printable(struct bytes view)
{
    for (size_t i = 0; i < view.length; i++) {
        if (view.data[i] <= ' ' || view.data[i] == 127)
            return false;
    }
    return true;
}

/* --- addresses --- */

static bool add_address(struct primary_candidates *candidates, struct bytes host, struct bytes port)
{
    struct text why; /* the setting has words of its own for what is expected */
    text_init(&why, WHY_MAX);
    bool good = candidates->count < PRIMARY_CANDIDATES_MAX &&
                primary_address_parse(host, port, &candidates->at[candidates->count], &why);
    candidates->count += good;
    text_fini(&why);
    return good;
}

static bool add_url(struct primary_candidates *candidates, struct bytes view)
{
    struct text why;
    text_init(&why, WHY_MAX);
    bool good = websocket_is_built() && candidates->count < PRIMARY_CANDIDATES_MAX &&
                primary_address_parse_url(view, &candidates->at[candidates->count], &why);
    candidates->count += good;
    text_fini(&why);
    return good;
}

/* "host port", or a URL */
static bool add_candidate(struct primary_candidates *candidates, struct bytes view)
{
    if (primary_address_is_url(bytes_trim(view)))
        return add_url(candidates, bytes_trim(view));
    struct bytes port = bytes_trim(view);
    struct bytes host = value_upstream_take_word(&port);
    return add_address(candidates, host, port);
}

bool value_parse_candidates(const struct value_kind *kind, const char *string, void *place)
{
    (void)kind;
    struct primary_candidates candidates = {.count = 0};
    struct bytes rest = bytes_trim(bytes_of(string));
    for (bool ended = rest.length == 0; !ended;) {
        size_t length = bytes_find(rest, ',');
        if (!add_candidate(&candidates, bytes_first(rest, length)))
            return false;
        ended = length == rest.length;
        rest = bytes_skip(rest, ended ? length : length + 1);
    }
    *(struct primary_candidates *)place = candidates;
    return true;
}

void value_print_candidates(const struct value_kind *kind, const void *place,
                            enum value_style style, struct text *out)
{
    (void)kind;
    (void)style;
    const struct primary_candidates *candidates = place;
    for (size_t i = 0; i < candidates->count; i++) {
        text_append_string(out, i > 0 ? ", " : "");
        primary_address_format(&candidates->at[i], out);
    }
}

bool value_parse_host(const struct value_kind *kind, const char *string, void *place)
{
    char host[PRIMARY_HOST_MAX] = "";
    struct text why;
    text_init(&why, WHY_MAX);
    bool good = string[0] == '\0' || primary_host_parse(bytes_of(string), host, &why);
    text_fini(&why);
    return good && value_parse_string(kind, host, place);
}

/* --- Sentinels --- */

/* "host:port" or "[::1]:port" */
static bool add_host_port(struct primary_candidates *list, struct bytes word)
{
    size_t colon = word.length;
    while (colon > 0 && word.data[colon - 1] != ':')
        colon--;
    if (colon == 0)
        return false;
    struct bytes host = bytes_first(word, colon - 1);
    bool has_brackets = host.length > 0 && host.data[0] == '[';
    /* Which of the colons is the last one of an address that has many is not ours to guess. */
    bool has_colon = bytes_find(host, ':') < host.length;
    return has_colon == has_brackets && add_address(list, host, bytes_skip(word, colon));
}

static void print_host_port(const struct primary_address *at, struct text *out)
{
    bool has_colon = strchr(at->host, ':') != NULL;
    text_format(out, has_colon ? "[%s]:%u" : "%s:%u", at->host, (unsigned)at->port);
}

bool value_parse_sentinel(const struct value_kind *kind, const char *string, void *place)
{
    (void)kind;
    struct sentinel_options *options = place;
    struct primary_candidates sentinels = {.count = 0};
    struct bytes rest = bytes_trim(bytes_of(string));
    struct bytes name = value_upstream_take_word(&rest);
    if (name.length >= SENTINEL_NAME_MAX || !is_printable(name))
        return false;
    while (rest.length > 0) {
        if (!add_host_port(&sentinels, value_upstream_take_word(&rest)))
            return false;
    }
    if (name.length > 0 && sentinels.count == 0)
        return false;
    memset(options->name, 0, sizeof(options->name));
    memcpy(options->name, name.data, name.length);
    options->sentinels = sentinels;
    return true;
}

void value_print_sentinel(const struct value_kind *kind, const void *place, enum value_style style,
                          struct text *out)
{
    (void)kind;
    (void)style;
    const struct sentinel_options *options = place;
    text_append_string(out, options->name);
    for (size_t i = 0; i < options->sentinels.count; i++) {
        text_append_string(out, " ");
        print_host_port(&options->sentinels.at[i], out);
    }
}

/* --- where snapshots come from --- */

bool value_parse_snapshot_source(const struct value_kind *kind, const char *string, void *place)
{
    (void)kind;
    struct snapshot_source source = {.kind = SNAPSHOT_SOURCE_LISTED};
    struct bytes rest = bytes_trim(bytes_of(string));
    if (bytes_is(rest, "upstream") || bytes_is(rest, "replicas")) {
        source.kind =
            bytes_is(rest, "upstream") ? SNAPSHOT_SOURCE_UPSTREAM : SNAPSHOT_SOURCE_REPLICAS;
        rest.length = 0;
    } else if (rest.length == 0) {
        return false;
    }
    while (rest.length > 0) {
        size_t length = bytes_find(rest, ',');
        if (!add_host_port(&source.listed, bytes_trim(bytes_first(rest, length))))
            return false;
        if (length + 1 == rest.length) /* nothing behind the last comma */
            return false;
        rest = bytes_skip(rest, length < rest.length ? length + 1 : length);
    }
    *(struct snapshot_source *)place = source;
    return true;
}

void value_print_snapshot_source(const struct value_kind *kind, const void *place,
                                 enum value_style style, struct text *out)
{
    (void)kind;
    (void)style;
    const struct snapshot_source *source = place;
    if (source->kind != SNAPSHOT_SOURCE_LISTED)
        text_append_string(out, source->kind == SNAPSHOT_SOURCE_UPSTREAM ? "upstream" : "replicas");
    for (size_t i = 0; i < source->listed.count; i++) {
        text_append_string(out, i > 0 ? ", " : "");
        print_host_port(&source->listed.at[i], out);
    }
}

/* --- acknowledgements --- */

bool value_parse_ack(const struct value_kind *kind, const char *string, void *place)
{
    (void)kind;
    return ack_rule_parse(bytes_of(string), place);
}

void value_print_ack(const struct value_kind *kind, const void *place, enum value_style style,
                     struct text *out)
{
    (void)kind;
    (void)style;
    ack_rule_format(*(const struct ack_rule *)place, out);
}

/* --- renamed commands --- */

/* Who renames a command hides it: the words are told to nobody. */
bool value_parse_renames(const struct value_kind *kind, const char *string, void *place)
{
    struct renames renames;
    return renames_parse(bytes_of(string), &renames) && value_parse_string(kind, string, place);
}

/* --- the proxy --- */

bool value_parse_proxy(const struct value_kind *kind, const char *string, void *place)
{
    struct proxy proxy;
    return (string[0] == '\0' || proxy_parse(string, &proxy)) &&
           value_parse_string(kind, string, place);
}

/* All but the password: where the relay connects to is no secret. */
void value_print_proxy(const struct value_kind *kind, const void *place, enum value_style style,
                       struct text *out)
{
    (void)kind;
    (void)style;
    struct proxy proxy;
    const char *const *string = place;
    if (string_is_given(*string) && proxy_parse(*string, &proxy))
        proxy_format(&proxy, out);
}

/* --- the version that is announced --- */

bool value_parse_version(const struct value_kind *kind, const char *string, void *place)
{
    (void)kind;
    uint32_t *version = place;
    uint32_t parsed = 0;
    char shown[SERVER_VERSION_MAX];
    if (strcmp(string, "auto") != 0 && (!server_version_parse(bytes_of(string), &parsed) ||
                                        strcmp(server_version_format(parsed, shown), string) != 0))
        return false;
    *version = parsed;
    return true;
}

void value_print_version(const struct value_kind *kind, const void *place, enum value_style style,
                         struct text *out)
{
    (void)kind;
    (void)style;
    const uint32_t *version = place;
    char shown[SERVER_VERSION_MAX];
    text_append_string(out, *version == 0 ? "auto" : server_version_format(*version, shown));
}

/* --- compression --- */

bool value_parse_compression(const struct value_kind *kind, const char *string, void *place)
{
    (void)kind;
    return compression_parse(bytes_of(string), place);
}

void value_print_compression(const struct value_kind *kind, const void *place,
                             enum value_style style, struct text *out)
{
    (void)kind;
    (void)style;
    char shown[COMPRESSION_TEXT_MAX];
    text_append_string(out, compression_format(*(const struct compression *)place, shown));
}
