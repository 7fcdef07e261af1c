/* SPDX-License-Identifier: MIT
 *
 * When the stream came, as a store writes it: across starts, rewinds, and a backlog that goes on.
 */
#include "../../../relay/store/time_log.h"

#include <dirent.h>
#include <fcntl.h>

#include "depot_fixture.h"
#include "fake_clock.h"
#include "relay/base/clock.h"

#define DEPOT_TEST(name) TEST_SETUP(name, depot_set_up, depot_tear_down)

static void second(void)
{
    fake_clock_advance(1000);
    store_tick(depot.store);
}

static uint64_t offset_ago(int64_t seconds)
{
    struct time_answer answer;
    if (!history_offset_at(store_current(depot.store), clock_wall_us() - seconds * 1000000,
                           &answer))
        fail_msg("%lld seconds ago: nothing is known", (long long)seconds);
    return answer.entry.offset;
}

static unsigned times_files(uint64_t number)
{
    char path[PLACE_PATH_MAX + 64];
    snprintf(path, sizeof(path), "%s/history-%llu/" TIME_LOG_FOLDER, depot.data_dir,
             (unsigned long long)number);
    DIR *folder = opendir(path);
    unsigned count = 0;
    if (folder == NULL)
        return 0;
    for (const struct dirent *entry; (entry = readdir(folder)) != NULL;)
        count += entry->d_name[0] != '.';
    closedir(folder);
    return count;
}

DEPOT_TEST(the_store_knows_which_offset_it_had_at_a_time)
{
    depot_open(&depot);
    depot_resync(&depot, 'a', 1000);
    second();
    for (int i = 0; i < 10; i++) {
        depot_stream(&depot, 100, 0);
        second();
    }
    for (int i = 0; i < 5; i++)
        second(); /* nothing comes: no entry */
    assert_int_equal(offset_ago(0), 2000);
    assert_int_equal(offset_ago(5), 2000);
    assert_int_equal(offset_ago(6), 1900);
    assert_int_equal(offset_ago(15), 1000);
    struct time_answer answer;
    assert_false(
        history_offset_at(store_current(depot.store), clock_wall_us() - 16 * 1000000, &answer));

    store_close(&depot.store);
    depot_open(&depot);
    assert_int_equal(offset_ago(0), 2000);
    assert_int_equal(offset_ago(6), 1900);
    assert_int_equal(times_files(1), 1);
    depot_stream(&depot, 100, 0);
    second();
    store_close(&depot.store);
    depot_open(&depot);
    assert_int_equal(offset_ago(0), 2100);
    assert_int_equal(offset_ago(1), 2000);
    assert_int_equal(times_files(1), 1);
}

DEPOT_TEST(a_rewind_forgets_the_times_of_the_lost_branch)
{
    depot_open(&depot);
    struct history *history = depot_resync(&depot, 'a', 0);
    for (int i = 0; i < 4; i++) {
        depot_stream(&depot, 100, 0);
        second();
    }
    assert_true(depot_rewind(&depot, history, 150));
    assert_true(depot_await_cut(history));
    const struct replid id = depot_id('b');
    assert_true(depot_rename(&depot, history, &id));
    assert_int_equal(offset_ago(0), 100);
    depot_stream(&depot, 300, 1);
    second();
    for (int starts = 0; starts < 2; starts++) {
        assert_int_equal(offset_ago(0), 450);
        assert_int_equal(offset_ago(1), 100); /* 200 to 400 were of the lost branch */
        store_close(&depot.store);
        depot_open(&depot);
    }
}

/* The folder goes with the files of another history, and with its own. */
DEPOT_TEST(times_go_with_their_history)
{
    depot_open(&depot);
    depot_resync(&depot, 'a', 0);
    depot_stream(&depot, 100, 0);
    second();
    depot_resync(&depot, 'b', 0);
    second();
    (void)depot_await_freed(&depot);
    assert_int_equal(times_files(1), 0);
    store_close(&depot.store);
    depot_open(&depot);
    assert_int_equal(times_files(1), 0);
    assert_int_equal(times_files(2), 1);
}

/* ------------------------------------------------------------------ the files themselves */

struct log_stage {
    struct place place;
    int directory;
    struct identity identity;
    struct time_log *log;
};

static void stage_init(struct log_stage *stage)
{
    const struct replid id = depot_id('a');
    place_init(&stage->place);
    char path[PLACE_PATH_MAX];
    place_path(&stage->place, ".", path);
    stage->directory = open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    assert_int_not_equal(stage->directory, -1);
    identity_init(&stage->identity, &id);
    stage->log = time_log_new(NULL, stage->directory);
    assert_non_null(stage->log);
}

static void stage_fini(struct log_stage *stage)
{
    time_log_free(&stage->log);
    identity_fini(&stage->identity);
    close(stage->directory);
    place_fini(&stage->place);
}

static void stage_restart(struct log_stage *stage)
{
    time_log_free(&stage->log);
    stage->log = time_log_new(NULL, stage->directory);
    assert_non_null(stage->log);
    time_log_load(stage->log, &stage->identity, UINT64_MAX);
}

static void stage_read(const struct log_stage *stage, struct time_log_files *files)
{
    struct time_index index;
    time_index_init(&index);
    time_log_read(stage->directory, &stage->identity, UINT64_MAX, &index, files);
    time_index_fini(&index);
}

static void note(struct log_stage *stage, uint64_t offset, uint64_t first)
{
    time_log_note(stage->log, offset, &stage->identity.replid, first, false);
}

TEST(files_are_bounded_and_go_with_the_stream)
{
    struct log_stage stage;
    struct time_log_files files;
    stage_init(&stage);
    for (uint64_t i = 1; i <= TIME_LOG_RECORDS_MAX * UINT64_C(3); i++)
        note(&stage, i, 0);
    stage_read(&stage, &files);
    assert_int_equal(files.count, 3);
    for (size_t i = 0; i < files.count; i++) {
        assert_int_equal(files.file[i].sum.records, TIME_LOG_RECORDS_MAX);
        assert_int_equal(files.file[i].number, i + 1);
    }
    note(&stage, TIME_LOG_RECORDS_MAX * 3 + 1, TIME_LOG_RECORDS_MAX * 2 + 5);
    stage_read(&stage, &files);
    assert_int_equal(files.count, 2);
    assert_int_equal(files.file[0].number, 3);
    assert_int_equal(time_index_oldest(time_log_index(stage.log))->offset,
                     TIME_LOG_RECORDS_MAX * 2 + 5);
    stage_restart(&stage);
    note(&stage, TIME_LOG_RECORDS_MAX * 4, TIME_LOG_RECORDS_MAX * 3 + 1);
    stage_read(&stage, &files);
    assert_int_equal(files.count, 1);
    assert_int_equal(files.file[0].sum.records, 2);
    stage_fini(&stage);
}

TEST(behind_half_a_record_another_file_begins)
{
    struct log_stage stage;
    struct time_log_files files;
    char name[TIME_LOG_NAME_MAX];
    stage_init(&stage);
    note(&stage, 10, 0);
    note(&stage, 20, 0);
    time_log_free(&stage.log);
    int folder = openat(stage.directory, TIME_LOG_FOLDER, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    time_log_name(1, name);
    int file = openat(folder, name, O_WRONLY | O_CLOEXEC);
    assert_int_equal(ftruncate(file, 2 * TIME_RECORD_BYTES - 5), 0);
    close(file);
    close(folder);
    stage_restart(&stage);
    assert_int_equal(time_index_newest(time_log_index(stage.log))->offset, 10);
    note(&stage, 30, 0);
    stage_restart(&stage);
    assert_int_equal(time_log_index(stage.log)->count, 2);
    assert_int_equal(time_index_newest(time_log_index(stage.log))->offset, 30);
    stage_read(&stage, &files);
    assert_int_equal(files.count, 2);
    stage_fini(&stage);
}

TEST(more_files_than_there_may_be_lose_the_oldest)
{
    struct log_stage stage;
    struct time_log_files files;
    stage_init(&stage);
    for (unsigned i = 0; i < TIME_LOG_FILES_MAX + 3; i++) {
        note(&stage, 10 + i, 0);
        time_log_free(&stage.log);
        char name[TIME_LOG_NAME_MAX];
        time_log_name(i + 1, name);
        int folder = openat(stage.directory, TIME_LOG_FOLDER, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
        int file = openat(folder, name, O_WRONLY | O_APPEND | O_CLOEXEC);
        assert_int_equal(write(file, "x", 1), 1); /* the next one begins behind it */
        close(file);
        close(folder);
        stage_restart(&stage);
    }
    stage_read(&stage, &files);
    assert_int_equal(files.count, TIME_LOG_FILES_MAX);
    assert_int_equal(files.file[0].number, 4);
    assert_int_equal(time_index_oldest(time_log_index(stage.log))->offset, 13);
    stage_fini(&stage);
}

TEST(names_are_ten_digits_or_more)
{
    uint64_t number;
    assert_true(time_log_parse_name("0000000012.times", &number));
    assert_int_equal(number, 12);
    static const char *const others[] = {"12.times", "0000000012",       "0000000012.timesx",
                                         ".times",   "-000000012.times", "00000000012.times",
                                         ""};
    for (size_t i = 0; i < LENGTH_OF(others); i++)
        assert_false(time_log_parse_name(others[i], &number));
}
