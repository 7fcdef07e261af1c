/* SPDX-License-Identifier: MIT */
#ifndef RELAY_CODEC_LIBRARIES_H
#define RELAY_CODEC_LIBRARIES_H

#include "library.h"
#include "relay/codec/codec.h"

/* NULL: CODEC_NONE, or this program was built without it. */
const struct library *library_of(enum codec codec);

#endif
