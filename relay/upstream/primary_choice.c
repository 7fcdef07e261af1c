/* SPDX-License-Identifier: MIT */
#include "primary_choice.h"

#include "relay/base/clock.h"
#include "relay/base/log.h"

struct primary_choice primary_choice_of(const struct handshake *handshake)
{
    const struct primary_info *info = &handshake->info;
    struct primary_choice choice = {.may_choose = false};
    if (server_version_parse(bytes_of(info->valkey_version), &choice.version)) {
        choice.may_choose = choice.version >= SERVER_VERSION_CHOOSES;
        return choice;
    }
    choice.version = 0;
    choice.may_choose = info->server_version[0] == '\0' && handshake->took_version;
    return choice;
}

void primary_cut_off(struct announced_version *announced, const struct handshake *handshake,
                     struct store *store)
{
    char before[SERVER_VERSION_MAX];
    char now[SERVER_VERSION_MAX];
    char magic[RDB_MAGIC_LENGTH + 1];
    int64_t wall_ms = clock_wall_us() / 1000;
    uint32_t version = handshake->terms.announce_version;
    struct primary_choice choice = primary_choice_of(handshake);
    if (!announced_version_cut_off(announced, &choice, version, wall_ms))
        return;
    log_warnx("upstream: the primary ended the connection in the midst of an RDB for version %s "
              "(%s): its data may need a newer format, so version %s is announced next",
              server_version_format(version, before),
              rdb_version_format(rdb_version_newest(version), magic),
              server_version_format(announced_version_now(announced, wall_ms), now));
    announced_version_keep(store, announced);
}
