/* SPDX-License-Identifier: MIT */
#include "compression_use.h"

#include "relay/base/clock.h"
#include "relay/base/log.h"

struct compression compression_use_now(const struct compression_use *use)
{
    bool is_paused = use->plain_until_ms != 0 && clock_ms() < use->plain_until_ms;
    return is_paused ? (struct compression){.codec = CODEC_NONE} : use->wanted;
}

void compression_use_note_fault(struct compression_use *use)
{
    use->faults_total++;
    if (++use->faults < COMPRESSION_FAULTS_MAX)
        return;
    use->faults = 0;
    use->plain_until_ms = clock_ms() + COMPRESSION_PAUSE_MS;
    log_warnx("upstream: what the primary compresses could not be decompressed %d times in a row: "
              "not asked for again for %d minutes",
              COMPRESSION_FAULTS_MAX, COMPRESSION_PAUSE_MS / 60000);
}

void compression_use_note_good(struct compression_use *use)
{
    use->faults = 0;
}

void compression_use_change(struct compression_use *use, struct compression wanted)
{
    if (wanted.codec == use->wanted.codec && wanted.level == use->wanted.level)
        return;
    use->wanted = wanted;
    use->faults = 0;
    use->plain_until_ms = 0;
}
