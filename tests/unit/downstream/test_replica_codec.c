/* SPDX-License-Identifier: MIT */
#include "../../../relay/downstream/replica_codec.h"

#include "test.h"

enum { Z = 1, L = 2, FRAMES = 4, RELAY = 8 };

static const struct {
    unsigned says; /* what the replica has named */
    enum codec wanted;
    bool is_tls;
    enum codec chosen;
    bool has_envelope;
} rows[] = {
    {0, CODEC_NONE, false, CODEC_NONE, false},
    {Z | L | FRAMES, CODEC_NONE, false, CODEC_NONE, false},
    {0, CODEC_ZSTD, false, CODEC_NONE, false},
    {0, CODEC_LZ4, false, CODEC_NONE, false},
    {Z | L, CODEC_ZSTD, false, CODEC_ZSTD, true},
    {Z | L, CODEC_LZ4, false, CODEC_LZ4, true},
    {L, CODEC_ZSTD, false, CODEC_LZ4, true},
    {Z, CODEC_LZ4, false, CODEC_NONE, false},
    /* One that says both is told in the dialect of Valkey. */
    {Z | L | FRAMES, CODEC_ZSTD, false, CODEC_ZSTD, true},
    {FRAMES, CODEC_ZSTD, false, CODEC_ZSTD, false},
    {FRAMES, CODEC_ZSTD, true, CODEC_ZSTD, false},
    /* Over TLS a Valkey wants one frame that never ends; a relay takes any. */
    {Z | L, CODEC_ZSTD, true, CODEC_LZ4, true},
    {Z, CODEC_ZSTD, true, CODEC_NONE, false},
    {Z | L | RELAY, CODEC_ZSTD, true, CODEC_ZSTD, true},
    {Z | L, CODEC_LZ4, true, CODEC_LZ4, true},
};

TEST(what_we_are_set_to_among_what_the_replica_takes)
{
    if (!codec_is_built(CODEC_LZ4) || !codec_is_built(CODEC_ZSTD))
        return;
    for (size_t i = 0; i < LENGTH_OF(rows); i++) {
        const struct replica_terms terms = {
            .capa_zstd = (rows[i].says & Z) != 0,
            .capa_lz4 = (rows[i].says & L) != 0,
            .takes_frames = (rows[i].says & FRAMES) != 0,
            .is_relay = (rows[i].says & RELAY) != 0,
        };
        const struct compression wanted = {.codec = rows[i].wanted, .level = 7};
        struct replica_codec choice = replica_codec_choose(&terms, wanted, rows[i].is_tls);
        if (choice.compression.codec != rows[i].chosen)
            fail_msg("row %zu: got %s, expected %s", i, codec_name(choice.compression.codec),
                     codec_name(rows[i].chosen));
        if (rows[i].chosen == CODEC_NONE)
            continue;
        assert_int_equal(choice.has_envelope, rows[i].has_envelope);
        assert_int_equal(choice.compression.level, 7);
    }
}
