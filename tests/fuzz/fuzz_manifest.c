/* SPDX-License-Identifier: MIT
 *
 * A manifest of the archive: one that is read says the same when it is written and read again, and what it says goes
 * together. A first byte of '!' has the sum put right, as whoever writes such a file would do it.
 */
#include "fuzz.h"

#include <inttypes.h>

#include "relay/archive/manifest.h"
#include "relay/base/crc64.h"

static void check_round(const struct manifest *manifest, const char *name)
{
    static struct manifest again;
    struct text first;
    struct text second;
    struct error error;
    text_init(&first, 2 * MANIFEST_LENGTH_MAX);
    text_init(&second, 2 * MANIFEST_LENGTH_MAX);
    manifest_format(manifest, &first);
    CHECK(manifest_parse(text_bytes(&first), name, &again, &error));
    manifest_format(&again, &second);
    CHECK(!first.failed && bytes_equal(text_bytes(&first), text_bytes(&second)));
    text_fini(&first);
    text_fini(&second);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static struct manifest manifest;
    struct text file;
    struct error error;
    char name[OBJECT_NAME_MAX] = "";
    text_init(&file, MANIFEST_LENGTH_MAX);
    bool puts_sum = size > 0 && data[0] == '!';
    text_append(&file, bytes_at(data + puts_sum, size - puts_sum));
    if (puts_sum)
        text_format(&file, "sum %016" PRIx64 "\n", crc64(0, file.data, file.length));
    /* Under the name that it claims. */
    if (!manifest_parse(text_bytes(&file), name, &manifest, &error) &&
        manifest.name.system.id[0] != '\0')
        object_name_format(&manifest.name, true, name);
    if (manifest_parse(text_bytes(&file), name, &manifest, &error)) {
        CHECK(manifest.end >= manifest.name.offset && manifest.length > 0);
        CHECK(manifest.root.parent < manifest.name.timeline);
        check_round(&manifest, name);
    }
    text_fini(&file);
    return 0;
}
