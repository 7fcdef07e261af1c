/* SPDX-License-Identifier: MIT */
#include <inttypes.h>

#include "findings_private.h"

enum { FAILING_MS = 10 * 1000, HANGING_MS = 5 * 60 * 1000 };

bool finds_archive_failing(const struct picture *picture, struct finding *finding)
{
    char since[FINDING_WORD_MAX];
    char waiting[FINDING_WORD_MAX];
    const struct archive_status *archive = &picture->archive;
    if (archive->failing_ms < FAILING_MS)
        return false;
    finding_say(finding->what,
                "Nothing has been archived for %s, and %s wait. The last attempt failed: %s",
                finding_time(archive->failing_ms, since),
                finding_size(archive->waiting_bytes, waiting), archive->error);
    return finding_say(
        finding->advice,
        "Correct what the command ([archive] command) reports. The relay runs it again "
        "by itself. At repl-backlog-max-size %s.",
        archive->stops_stream ? "it stops reading from the upstream"
                              : "the oldest bytes are given up");
}

bool finds_archive_hanging(const struct picture *picture, struct finding *finding)
{
    char since[FINDING_WORD_MAX];
    const struct archive_status *archive = &picture->archive;
    if (archive->running_ms < HANGING_MS)
        return false;
    finding_say(finding->what, "The archive command has been running for %s.",
                finding_time(archive->running_ms, since));
    return finding_say(finding->advice,
                       "For a large RDB that may be right. Otherwise look at the command; after "
                       "command-timeout it is ended and run again.");
}

bool finds_archive_gap(const struct picture *picture, struct finding *finding)
{
    char missing[FINDING_WORD_MAX];
    const struct archive_status *archive = &picture->archive;
    if (archive->gaps == 0)
        return false;
    finding_say(finding->what,
                "The archive has %" PRIu64
                " gaps since the start: %s were given up before they were "
                "archived.",
                archive->gaps, finding_size(archive->gap_bytes, missing));
    return finding_say(finding->advice,
                       "Moments in a gap cannot be restored. Raise repl-backlog-max-size, make the "
                       "command faster, or set on-full = stop.");
}
