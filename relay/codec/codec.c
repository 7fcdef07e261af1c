/* SPDX-License-Identifier: MIT */
#include "relay/codec/codec.h"

#include <stdio.h>
#include <string.h>

#include "codec_private.h"

static const struct library *const libraries[] = {
    [CODEC_NONE] = NULL,
#ifdef HAVE_LZ4
    [CODEC_LZ4] = &library_lz4,
#else
    [CODEC_LZ4] = NULL,
#endif
#ifdef HAVE_ZSTD
    [CODEC_ZSTD] = &library_zstd,
#else
    [CODEC_ZSTD] = NULL,
#endif
};

const struct library *library_of(enum codec codec)
{
    CHECK(codec < LENGTH_OF(libraries));
    return libraries[codec];
}

bool codec_is_built(enum codec codec)
{
    return codec == CODEC_NONE || library_of(codec) != NULL;
}

const char *codec_name(enum codec codec)
{
    static const char *const names[] = {
        [CODEC_NONE] = "no", [CODEC_LZ4] = "lz4", [CODEC_ZSTD] = "zstd"};
    CHECK(codec < LENGTH_OF(names));
    return names[codec];
}

static bool parse_level(struct bytes text, int *level)
{
    uint64_t number;
    if (!bytes_to_u64(text, &number) || number < 1 || number > CODEC_LEVEL_MAX)
        return false;
    *level = (int)number;
    return true;
}

bool compression_parse(struct bytes text, struct compression *out)
{
    static const char zstd[] = "zstd:";
    struct compression found = {.codec = CODEC_NONE, .level = CODEC_LEVEL_DEFAULT};
    size_t colon = bytes_find(text, ':');
    if (bytes_is(text, "lz4"))
        found.codec = CODEC_LZ4;
    else if (bytes_is(bytes_first(text, colon), "zstd"))
        found.codec = CODEC_ZSTD;
    else if (!bytes_is(text, "no"))
        return false;
    bool has_level = found.codec == CODEC_ZSTD && colon < text.length;
    if (has_level && !parse_level(bytes_skip(text, strlen(zstd)), &found.level))
        return false;
    if (!codec_is_built(found.codec))
        return false;
    *out = found;
    return true;
}

const char *compression_format(struct compression compression, char out[COMPRESSION_TEXT_MAX])
{
    if (compression.codec == CODEC_ZSTD && compression.level != CODEC_LEVEL_DEFAULT)
        snprintf(out, COMPRESSION_TEXT_MAX, "zstd:%d", compression.level);
    else
        snprintf(out, COMPRESSION_TEXT_MAX, "%s", codec_name(compression.codec));
    return out;
}
