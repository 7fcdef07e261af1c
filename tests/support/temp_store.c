/* SPDX-License-Identifier: MIT */
#include "temp_store.h"

#include <dirent.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <unistd.h>

#include "relay/base/crc64.h"
#include "relay/store/status.h"

enum { WHY_MAX = 512, RDB_SEED = 1 };

static void open_it(struct temp_store *temp)
{
    struct text why;
    text_init(&why, WHY_MAX);
    temp->options.data_dir = temp->path;
    temp->store = store_open(&temp->options, &why);
    if (temp->store == NULL)
        fprintf(stderr, "%s\n", text_string(&why));
    CHECK(temp->store != NULL);
    struct store_status status;
    do {
        (void)store_publish(temp->store);
        store_status(temp->store, &status);
    } while (status.is_proving);
    text_fini(&why);
}

void temp_store_open(struct temp_store *temp)
{
    const char *place = access("/dev/shm", W_OK) == 0 ? "/dev/shm" : "/tmp";
    snprintf(temp->path, sizeof(temp->path), "%s/psync-relay-test.XXXXXX", place);
    CHECK(mkdtemp(temp->path) != NULL);
    temp->options = (struct store_options){
        .window_bytes = TEMP_WINDOW_BYTES,
        .window_bytes_max = (uint64_t)TEMP_WINDOW_BYTES * 4,
        .segment_bytes = TEMP_SEGMENT_BYTES,
        .fsync = STORE_FSYNC_NO,
    };
    open_it(temp);
}

void temp_store_reopen(struct temp_store *temp)
{
    store_close(&temp->store);
    open_it(temp);
}

static void remove_tree(int at, const char *name)
{
    if (unlinkat(at, name, 0) == 0)
        return;
    int directory = openat(at, name, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
    CHECK(directory != -1);
    DIR *entries = fdopendir(directory);
    CHECK(entries != NULL);
    struct dirent *entry;
    while ((entry = readdir(entries)) != NULL) {
        if (strcmp(entry->d_name, ".") != 0 && strcmp(entry->d_name, "..") != 0)
            remove_tree(directory, entry->d_name);
    }
    closedir(entries);
    CHECK(unlinkat(at, name, AT_REMOVEDIR) == 0);
}

void temp_store_close(struct temp_store *temp)
{
    temp_store_refuse(false);
    store_close(&temp->store);
    remove_tree(AT_FDCWD, temp->path);
}

static void set_limit(struct rlimit *limit, bool refuse)
{
    limit->rlim_cur = refuse ? 0 : limit->rlim_max;
}

void temp_store_refuse(bool refuse)
{
    signal(SIGXFSZ, SIG_IGN); /* a write over the limit is to fail, not to kill */
    struct rlimit limit;
    CHECK(getrlimit(RLIMIT_FSIZE, &limit) == 0);
    set_limit(&limit, refuse);
    CHECK(setrlimit(RLIMIT_FSIZE, &limit) == 0);
}

void temp_store_refuse_files(bool refuse)
{
    struct rlimit limit;
    CHECK(getrlimit(RLIMIT_NOFILE, &limit) == 0);
    set_limit(&limit, refuse);
    CHECK(setrlimit(RLIMIT_NOFILE, &limit) == 0);
}

/* ---- RDBs ---- */

void temp_store_rdb(struct text *out, size_t length)
{
    size_t start = out->length;
    unsigned value = RDB_SEED;
    text_append_string(out, "REDIS0011");
    for (size_t i = 0; i < length; i++) {
        value = value * 1103515245 + 12345;
        uint8_t byte = (uint8_t)(value >> 16);
        text_append(out, bytes_at(&byte, 1));
    }
    text_append(out, bytes_at("\xff", 1));
    uint64_t crc = crc64(0, out->data + start, out->length - start);
    uint8_t footer[8];
    for (int i = 0; i < 8; i++)
        footer[i] = (uint8_t)(crc >> (8 * i));
    text_append(out, bytes_at(footer, sizeof(footer)));
}

void temp_store_fill(struct temp_store *temp, const char *replid, uint64_t offset)
{
    struct replid id;
    CHECK(replid_parse(bytes_of(replid), &id));
    struct text why;
    struct text rdb;
    text_init(&why, WHY_MAX);
    text_init(&rdb, WHY_MAX);
    temp_store_rdb(&rdb, 100);
    struct history *history = store_begin_history(temp->store, &id, offset, &why);
    CHECK(history != NULL);
    CHECK(snapshot_write(history_arriving_snapshot(history), text_bytes(&rdb), &why));
    CHECK(store_promote(temp->store, &why) == DISK_STEP_DONE);
    (void)store_publish(temp->store);
    text_fini(&rdb);
    text_fini(&why);
}

void temp_store_read(const struct temp_store *temp, uint64_t offset, struct text *out)
{
    struct cursor cursor = {0};
    struct bytes view;
    CHECK(history_attach(store_current(temp->store), &cursor, offset));
    while (cursor_peek(&cursor, &view) == CURSOR_BYTES) {
        text_append(out, view);
        cursor_advance(&cursor, view.length);
    }
    cursor_detach(&cursor);
}
