/* SPDX-License-Identifier: MIT
 *
 * What a snapshot can be used for.
 */
#ifndef RELAY_STORE_SNAPSHOT_USE_H
#define RELAY_STORE_SNAPSHOT_USE_H

/* Why a snapshot can, or cannot, be what a full sync is served from now. */
#define SNAPSHOT_USES(ROW)                                                                         \
    ROW(NOW, usable)                      /* yes */                                                \
    ROW(NONE, none)                       /* there is none */                                      \
    ROW(UNPROVEN, unproven)               /* it is being proven */                                 \
    ROW(BEHIND_WINDOW, behind_window)     /* the stream behind its X was given up */               \
    ROW(AHEAD_OF_STREAM, ahead_of_stream) /* its X has not been received yet */                    \
    ROW(NOT_BEGUN, not_begun)             /* no byte of it has come */

enum snapshot_use {
#define ROW(upper, lower) SNAPSHOT_USE_##upper,
    SNAPSHOT_USES(ROW)
#undef ROW
};

#endif
