/* SPDX-License-Identifier: MIT
 *
 * A data directory whose files were altered, cut, lost and swapped in any way: it opens, and what is
 * served is what was received, byte for byte, under its own id; and it goes on from there. The input
 * is a list of edits.
 */
#include "../unit/store/depot.h"
#include "fuzz.h"

#define DIRECTORY "data/history-1/"

enum { FIRST = 1000, SEALED = 3, FILES = 8, EDITS_MAX = 32, WINDOW = SEALED * DEPOT_SEGMENT + 777 };

static const char *const names[FILES] = {
    DIRECTORY "identity",          DIRECTORY "identity.kept",     DIRECTORY "tail",
    DIRECTORY "backlog/1000.seg",  DIRECTORY "backlog/5096.seg",  DIRECTORY "backlog/9192.seg",
    DIRECTORY "backlog/13288.seg", DIRECTORY "snapshot/1000.rdb",
};

static struct depot depot;
static uint8_t *originals[FILES];
static size_t lengths[FILES];

static void drop_depot(void)
{
    depot_fini(&depot);
    for (size_t i = 0; i < FILES; i++)
        free(originals[i]);
}

static void make_originals(void)
{
    fuzz_log_nowhere();
    depot_init(&depot);
    depot_open(&depot);
    (void)depot_resync(&depot, 'a', FIRST);
    for (int i = 0; i < SEALED; i++)
        depot_stream(&depot, DEPOT_SEGMENT, 0);
    depot_stream(&depot, 700, 0);
    depot_stream(&depot, 77, 0);
    store_close(&depot.store);
    for (size_t i = 0; i < FILES; i++)
        originals[i] = place_read(&depot.place, names[i], &lengths[i]);
    CHECK(atexit(drop_depot) == 0);
}

static void restore(void)
{
    static const char *const directories[] = {"data", DIRECTORY, DIRECTORY "backlog",
                                              DIRECTORY "snapshot"};
    place_remove(depot.data_dir);
    for (size_t i = 0; i < LENGTH_OF(directories); i++)
        CHECK(mkdirat(depot.place.directory, directories[i], 0700) == 0);
    for (size_t i = 0; i < FILES; i++)
        place_write(&depot.place, names[i], bytes_at(originals[i], lengths[i]));
}

/* One edit: file and kind, a place, and for some kinds bytes with their number before them. */
static void edit(struct bytes *input)
{
    enum { OVERWRITE, ADD, CUT, LOSE, SWAP, KINDS };
    const uint8_t *head = input->data;
    size_t file = head[0] % FILES;
    off_t place = head[2] | head[3] << 8;
    *input = bytes_skip(*input, 4);
    int opened = openat(depot.place.directory, names[file], O_RDWR | O_CLOEXEC);
    size_t count = head[1] >> 3;
    struct bytes bytes = bytes_first(*input, count < input->length ? count : input->length);
    switch (opened == -1 ? KINDS : head[1] % 8) {
    case OVERWRITE:
    case ADD:
        CHECK(pwrite(opened, bytes.data, bytes.length,
                     head[1] % 8 == ADD ? lseek(opened, 0, SEEK_END) : place) >= 0);
        *input = bytes_skip(*input, bytes.length);
        break;
    case CUT:
        CHECK(ftruncate(opened, place) == 0);
        break;
    case LOSE:
        CHECK(unlinkat(depot.place.directory, names[file], 0) == 0);
        break;
    case SWAP:
        place_write(&depot.place, names[file],
                    bytes_at(originals[head[2] % FILES], lengths[head[2] % FILES]));
        break;
    default:
        break;
    }
    if (opened != -1)
        close(opened);
}

/* Whatever window there is holds the bytes that were received there. */
static void check_served(void)
{
    struct history *history = store_current(depot.store);
    if (history == NULL)
        return;
    struct backlog *backlog = history_backlog(history);
    struct snapshot *snapshot = history_snapshot(history);
    CHECK(strcmp(history_identity(history)->replid.hex, depot_id('a').hex) == 0);
    CHECK(backlog_first(backlog) >= FIRST);
    CHECK(history_boundary(history) <= backlog_published(backlog));
    depot_assert_window(&depot, backlog_first(backlog), UINT64_MAX, backlog_published(backlog));
    if (snapshot != NULL)
        depot_assert_snapshot(snapshot, 0);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct bytes input = bytes_at(data, size);
    if (originals[0] == NULL)
        make_originals();
    restore();
    for (int i = 0; i < EDITS_MAX && input.length >= 4; i++)
        edit(&input);
    depot_open(&depot);
    check_served();
    if (store_current(depot.store) != NULL) {
        CHECK(backlog_published(depot_backlog(&depot)) <= FIRST + WINDOW);
        depot_stream(&depot, DEPOT_SEGMENT + 10, 0);
        check_served();
        store_close(&depot.store);
        depot_open(&depot);
        check_served();
    }
    store_close(&depot.store);
    return 0;
}
