/* SPDX-License-Identifier: MIT */
#include "origin_choice.h"

#include "relay/base/clock.h"
#include "relay/base/log.h"

struct origin_choice origin_choice_of(const struct greeting *greeting)
{
    const struct origin_info *info = &greeting->info;
    struct origin_choice choice = {.may_choose = false};
    if (server_version_parse(bytes_of(info->valkey_version), &choice.version)) {
        choice.may_choose = choice.version >= SERVER_VERSION_CHOOSES;
        return choice;
    }
    choice.version = 0;
    choice.may_choose = info->server_version[0] == '\0' && greeting->took_version;
    return choice;
}

void origin_cut_off(struct announced_version *announced, const struct greeting *greeting,
                    struct store *store)
{
    char before[SERVER_VERSION_MAX];
    char now[SERVER_VERSION_MAX];
    char magic[RDB_MAGIC_LENGTH + 1];
    int64_t wall_ms = clock_wall_us() / 1000;
    uint32_t version = greeting->terms.announce_version;
    struct origin_choice choice = origin_choice_of(greeting);
    if (!announced_version_cut_off(announced, &choice, version, wall_ms))
        return;
    log_warnx("upstream: the origin ended the connection in the midst of an RDB for version %s "
              "(%s): its data may need a newer format, so version %s is announced next",
              server_version_format(version, before),
              rdb_version_format(rdb_version_newest(version), magic),
              server_version_format(announced_version_now(announced, wall_ms), now));
    announced_version_keep(store, announced);
}
