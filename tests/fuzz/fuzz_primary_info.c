/* SPDX-License-Identifier: MIT
 *
 * What a primary says of itself in INFO: read whole or line by line it is the same, and where we are to
 * go on from is never behind where we are.
 */
#include "fuzz.h"

#include "../../relay/upstream/primary_info.h"
#include "relay/upstream/hop.h"

enum { OURS = 4711 };

static void check(const struct primary_info *info)
{
    const struct replid none = replid_none();
    const struct replid *ids[] = {&info->replid, &info->replid2, &none};
    for (size_t i = 0; i < LENGTH_OF(ids); i++) {
        CHECK(primary_info_common(info, ids[i], OURS) <= OURS);
        (void)primary_info_knows(info, ids[i]);
    }
    CHECK(strnlen(info->server_version, PRIMARY_VERSION_MAX) < PRIMARY_VERSION_MAX);
    CHECK(strnlen(info->valkey_version, PRIMARY_VERSION_MAX) < PRIMARY_VERSION_MAX);
    CHECK(strnlen(info->primary.host, sizeof(info->primary.host)) < sizeof(info->primary.host));
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct primary_info whole;
    struct primary_info lines;
    struct hops hops;
    struct bytes input = bytes_at(data, size);
    memset(&whole, 0, sizeof(whole));
    primary_info_init(&whole);
    primary_info_init(&lines);
    uint8_t *copy = exact_copy(input);
    primary_info_read(&whole, bytes_at(copy, size));
    hops_read(bytes_at(copy, size), &hops);
    CHECK(hops.count <= HOPS_MAX);
    CHECK(hops_silence_ms(&hops) >= 0);
    free(copy);
    while (input.length > 0) {
        size_t end = bytes_find(input, '\n');
        struct bytes line = bytes_first(input, end < input.length ? end + 1 : end);
        copy = exact_copy(line);
        primary_info_read(&lines, bytes_at(copy, line.length));
        free(copy);
        input = bytes_skip(input, line.length);
    }
    check(&whole);
    CHECK(whole.has_role == lines.has_role && whole.is_primary == lines.is_primary);
    CHECK(whole.second_offset == lines.second_offset);
    CHECK(replid_equal(&whole.replid, &lines.replid));
    CHECK(replid_equal(&whole.replid2, &lines.replid2));
    CHECK(strcmp(whole.server_version, lines.server_version) == 0);
    CHECK(strcmp(whole.primary.host, lines.primary.host) == 0);
    CHECK(whole.primary.port == lines.primary.port);
    return 0;
}
