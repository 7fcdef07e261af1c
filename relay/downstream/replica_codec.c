/* SPDX-License-Identifier: MIT */
#include "replica_codec.h"

struct replica_codec replica_codec_choose(const struct replica_terms *terms,
                                          struct compression wanted, bool is_tls)
{
    struct replica_codec choice = {.compression = wanted, .has_envelope = true};
    bool takes_zstd = terms->capa_zstd && (!is_tls || terms->is_relay);
    if (wanted.codec == CODEC_ZSTD && takes_zstd)
        return choice;
    if (wanted.codec != CODEC_NONE && terms->capa_lz4 && codec_is_built(CODEC_LZ4)) {
        choice.compression.codec = CODEC_LZ4;
        return choice;
    }
    if (wanted.codec == CODEC_ZSTD && terms->takes_frames) {
        choice.has_envelope = false;
        return choice;
    }
    return (struct replica_codec){.compression = {.codec = CODEC_NONE}};
}
