/* SPDX-License-Identifier: MIT
 *
 * Which library does the work of a codec. Any thread.
 */
#ifndef RELAY_CODEC_CODEC_PRIVATE_H
#define RELAY_CODEC_CODEC_PRIVATE_H

#include "library.h"
#include "relay/codec/codec.h"

/* NULL: CODEC_NONE, or this program was built without it. */
const struct library *library_of(enum codec codec);

#endif
