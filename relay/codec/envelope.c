/* SPDX-License-Identifier: MIT */
#include "relay/codec/envelope.h"

#include <string.h>

static const uint8_t magic[] = {'V', 'C', 'S'};

enum { AT_VERSION = 3, AT_CODEC = 4, AT_RESERVED = 5, AT_KIND = 6, VERSION = 1 };

/* Their numbers on the wire. */
static const enum codec codecs[] = {CODEC_NONE, CODEC_LZ4, CODEC_ZSTD};

static const char *envelope_fault(const uint8_t *at, enum envelope_kind kind)
{
    if (at[AT_VERSION] != VERSION)
        return "an envelope of another version";
    if (at[AT_CODEC] == 0 || at[AT_CODEC] >= LENGTH_OF(codecs))
        return "an envelope with a codec that is not known";
    if (!codec_is_built(codecs[at[AT_CODEC]]))
        return "an envelope with a codec that this program was built without";
    if (at[AT_RESERVED] != 0)
        return "an envelope whose reserved byte is not zero";
    if (at[AT_KIND] != (uint8_t)kind)
        return "an envelope of another kind";
    return NULL;
}

/* All three letters: a plain RDB may begin with "VALKEY". */
enum envelope_result envelope_read(struct bytes begin, enum envelope_kind kind, enum codec *codec,
                                   const char **why)
{
    size_t compared = begin.length < sizeof(magic) ? begin.length : sizeof(magic);
    if (compared > 0 && memcmp(begin.data, magic, compared) != 0)
        return ENVELOPE_PLAIN;
    if (begin.length < ENVELOPE_LENGTH)
        return ENVELOPE_MORE;
    *why = envelope_fault(begin.data, kind);
    if (*why != NULL)
        return ENVELOPE_REFUSED;
    *codec = codecs[begin.data[AT_CODEC]];
    return ENVELOPE_FOUND;
}

void envelope_write(enum codec codec, enum envelope_kind kind, uint8_t out[ENVELOPE_LENGTH])
{
    CHECK(codec == CODEC_LZ4 || codec == CODEC_ZSTD);
    memcpy(out, magic, sizeof(magic));
    out[AT_VERSION] = VERSION;
    out[AT_CODEC] = codec == CODEC_LZ4 ? 1 : 2;
    out[AT_RESERVED] = 0;
    out[AT_KIND] = (uint8_t)kind;
}
