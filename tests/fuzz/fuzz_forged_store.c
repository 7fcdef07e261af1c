/* SPDX-License-Identifier: MIT
 *
 * A data directory whose identity says anything at all, with a sum that is right, over segments that
 * are what they are: it opens or it does not, all that it serves can be read, it goes on, and the next
 * start finds the same. What begins with '+' stands behind the lines that were there.
 */
#include "../unit/store/depot.h"
#include "fuzz.h"

#include <inttypes.h>
#include <string.h>

#include "relay/base/crc64.h"

#define DIRECTORY "data/history-1/"

enum { FIRST = 1000, FILE_MAX = 1 << 20, SUM_LINE = 4 + 16 + 1 };

static struct depot depot;

static void drop_depot(void)
{
    depot_fini(&depot);
}

static void make_depot(void)
{
    fuzz_log_nowhere();
    depot_init(&depot);
    CHECK(atexit(drop_depot) == 0);
}

/* Bytes of `window`, read to the end through a cursor. */
static uint64_t read_window(uint64_t *sum)
{
    struct backlog *backlog = depot_backlog(&depot);
    struct cursor cursor = {0};
    struct bytes view;
    uint64_t first = backlog_first(backlog);
    *sum = 0;
    CHECK(backlog_attach(backlog, &cursor, first));
    while (cursor_peek(&cursor, &view) == CURSOR_BYTES) {
        *sum = crc64(*sum, view.data, view.length);
        cursor_advance(&cursor, view.length);
    }
    CHECK(cursor.offset == backlog_published(backlog));
    cursor_detach(&cursor);
    return first;
}

static void write_files(struct bytes identity)
{
    struct text file;
    if (place_has(&depot.place, "data"))
        place_remove(depot.data_dir);
    depot_open(&depot);
    (void)depot_resync(&depot, 'a', FIRST);
    depot_stream(&depot, DEPOT_SEGMENT + 77, 0);
    store_close(&depot.store);
    text_init(&file, FILE_MAX);
    if (identity.data[0] == '+') {
        size_t length;
        uint8_t *lines = place_read(&depot.place, DIRECTORY "identity", &length);
        text_append(&file, bytes_at(lines, length - SUM_LINE));
        free(lines);
        identity = bytes_skip(identity, 1);
    }
    text_append(&file, identity);
    text_format(&file, "sum %016" PRIx64 "\n", crc64(0, file.data, file.length));
    place_write(&depot.place, DIRECTORY "identity", text_bytes(&file));
    text_fini(&file);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    uint64_t before;
    uint64_t after;
    if (depot.data_dir[0] == '\0')
        make_depot();
    if (size == 0)
        return 0;
    write_files(bytes_at(data, size));
    text_clear(&depot.why);
    depot.store = store_open(&depot.options, &depot.why);
    if (depot.store == NULL) { /* no other reason may end a start: nothing of it is removed */
        CHECK(strstr(text_string(&depot.why), "newer version") != NULL);
        return 0;
    }
    if (store_current(depot.store) != NULL) {
        depot_await_proven(&depot);
        uint64_t end = backlog_published(depot_backlog(&depot));
        (void)read_window(&before);
        if (end < UINT64_MAX - 100)
            depot_stream(&depot, 100, 0);
        uint64_t first = read_window(&before);
        store_close(&depot.store);
        depot_open(&depot);
        CHECK(read_window(&after) == first && after == before);
    }
    store_close(&depot.store);
    return 0;
}
