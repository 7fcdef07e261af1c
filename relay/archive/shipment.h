/* SPDX-License-Identifier: MIT
 *
 * A job of the archiver (archiver.h). It alone works in data-dir/archive/, and alone waits for the disk and for the
 * command. Thread 0 gives it one job at a time and takes the outcome; what is shipped next, and when again after a failure,
 * is decided there (archive.c).
 *
 *     data-dir/archive/
 *       state                    how far the archive is                             (state.h)
 *       <name>                   what is being shipped: a copy of a piece of the stream, or another name of an RDB
 *       <name>.manifest          what it is                                         (manifest.h)
 *
 * The order of a job, and what a kill leaves behind each step:
 *
 *     1  <name> is written                        a file without a manifest: the next start removes it
 *     2  its manifest is written, and durable     from now on the name means these bytes. A start finds both and goes on
 *                                                 with 3; where the file is not what its manifest says (a power failure),
 *                                                 it removes both and thread 0 begins another timeline
 *     3  the command for <name> ends with 0       as 2: it is run again, with the same name and the same bytes
 *     4  the command for the manifest does        as 2
 *     5  the state is written, and durable        what a start finds with a manifest before `archived` is removed
 *     6  both files are removed
 *
 * A piece of the stream is read through a cursor that thread 0 has attached; nothing is asked of the store but that.
 *
 * Plain value. Thread: thread 0, or the archiver while it has it.
 */
#ifndef RELAY_ARCHIVE_SHIPMENT_H
#define RELAY_ARCHIVE_SHIPMENT_H

#include <stdbool.h>
#include <stdint.h>

#include "relay/archive/manifest.h"
#include "relay/base/check.h"
#include "relay/base/error.h"
#include "relay/store/cursor.h"
#include "state.h"

enum { SHIPMENT_COMMAND_MAX = 4096 };

enum shipment_work {
    SHIPMENT_FIND, /* makes the folder, reads what is in it: `note`, and where there is one the `manifest` */
    SHIPMENT_SAVE, /* writes `note` */
    SHIPMENT_SHIP, /* all steps above that are not done */
};

struct shipment {
    enum shipment_work work;
    bool is_good;       /* when it is over; else `error` */
    bool is_staged;     /* steps 1 and 2 are done; also found so */
    bool has_lost_file; /* FIND: one had been begun, and its file is not what its manifest says */
    bool has_shipped;   /* step 3 is done */
    bool is_idle_only;  /* nothing but PING was in it, and `skips_idle`: nothing was staged */
    bool skips_idle;
    bool
        is_read_to_end; /* the end of the piece is where the cursor ends, at the latest at manifest.end */
    struct cursor cursor;      /* of a segment; ends with the job */
    int file;                  /* of an RDB; -1; closed with the job */
    struct archive_state note; /* FIND: as found; SHIP: as it is when that is over */
    struct manifest manifest;  /* its length, CRC and, with is_read_to_end, its end are filled in */
    char command[SHIPMENT_COMMAND_MAX];
    int64_t limit_ms;
    struct error error;
    char output[256]; /* of a command that failed: its last line */
};

#endif
