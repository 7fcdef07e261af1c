/* SPDX-License-Identifier: MIT */
#include "../../../relay/store/files.h"
#include "../../../relay/store/reclaimer.h"

#include <fcntl.h>
#include <pthread.h>

#include "place.h"

static struct place place;
static struct reclaimer *reclaimer;

static int set_up(void **state)
{
    (void)state;
    place_init(&place);
    return 0;
}

static int tear_down(void **state)
{
    (void)state;
    reclaimer_stop(&reclaimer, 20000);
    place_fini(&place);
    return 0;
}

#define PLACE_TEST(name) TEST_SETUP(name, set_up, tear_down)

static void start(void)
{
    reclaimer = reclaimer_start(place.directory);
    assert_non_null(reclaimer);
}

static void await_idle(void)
{
    while (reclaimer_is_busy(reclaimer))
        usleep(100);
}

/* A job that waits until it is let go on. */
struct gate {
    struct reclaim_job job;
    pthread_mutex_t lock;
    pthread_cond_t changed;
    bool open;
    bool done;
};

static void pass(struct reclaim_job *job)
{
    struct gate *gate = (struct gate *)(void *)job;
    pthread_mutex_lock(&gate->lock);
    while (!gate->open)
        pthread_cond_wait(&gate->changed, &gate->lock);
    gate->done = true;
    pthread_cond_broadcast(&gate->changed);
    pthread_mutex_unlock(&gate->lock);
}

static void open_gate(struct gate *gate)
{
    pthread_mutex_lock(&gate->lock);
    gate->open = true;
    pthread_cond_broadcast(&gate->changed);
    pthread_mutex_unlock(&gate->lock);
}

static struct gate gate_make(uint64_t bytes)
{
    return (struct gate){.job = {.bytes = bytes, .work = pass},
                         .lock = PTHREAD_MUTEX_INITIALIZER,
                         .changed = PTHREAD_COND_INITIALIZER};
}

PLACE_TEST(a_name_goes_at_once_and_can_be_used_again)
{
    start();
    struct gate gate = gate_make(1000);
    reclaimer_take(reclaimer, &gate.job);
    for (int i = 0; i < 3; i++) {
        place_write(&place, "a", bytes_of("content"));
        assert_true(reclaimer_unlink(reclaimer, place.directory, "a"));
        assert_true(place_loses(&place, "a"));
    }
    place_write(&place, "a", bytes_of("the last"));
    assert_true(reclaimer_is_busy(reclaimer));
    assert_true(reclaimer_bytes(reclaimer) >= 1000);
    open_gate(&gate);
    await_idle();
    assert_int_equal(reclaimer_bytes(reclaimer), 0);
    assert_int_equal(place_length(&place, "a"), 8);
    reclaimer_stop(&reclaimer, 20000);
    assert_true(place_loses(&place, RECLAIMER_TRASH)); /* nothing is left in it */
}

PLACE_TEST(what_is_not_there_is_said)
{
    start();
    assert_false(reclaimer_unlink(reclaimer, place.directory, "nothing"));
    assert_int_equal(errno, ENOENT);
    assert_false(reclaimer_unlink(NULL, place.directory, "nothing"));
    place_write(&place, "a", bytes_of("content"));
    assert_true(reclaimer_unlink(NULL, place.directory, "a"));
    assert_true(place_loses(&place, "a"));
}

/* What has another name stays where it is. */
PLACE_TEST(a_name_among_two_gives_nothing_back)
{
    start();
    struct gate gate = gate_make(1000);
    reclaimer_take(reclaimer, &gate.job);
    place_write(&place, "a", bytes_of("content"));
    assert_int_equal(linkat(place.directory, "a", place.directory, "b", 0), 0);
    uint64_t before = reclaimer_bytes(reclaimer);
    assert_true(reclaimer_unlink(reclaimer, place.directory, "a"));
    assert_int_equal(reclaimer_bytes(reclaimer), before);
    open_gate(&gate);
    await_idle();
    assert_true(reclaimer_unlink(reclaimer, place.directory, "b"));
    await_idle();
    assert_false(place_has(&place, "b"));
}

PLACE_TEST(without_room_for_the_trash_files_go_all_the_same)
{
    place_write(&place, RECLAIMER_TRASH, bytes_of("no directory"));
    start();
    place_write(&place, "a", bytes_of("content"));
    assert_true(reclaimer_unlink(reclaimer, place.directory, "a"));
    assert_true(place_loses(&place, "a"));
    assert_true(place_has(&place, RECLAIMER_TRASH));
}

PLACE_TEST(what_a_kill_left_is_freed_by_the_next_start)
{
    assert_int_equal(mkdirat(place.directory, RECLAIMER_TRASH, 0700), 0);
    place_write(&place, RECLAIMER_TRASH "/1-0", bytes_of("left"));
    place_write(&place, RECLAIMER_TRASH "/1-1", bytes_of("left"));
    start();
    await_idle();
    assert_true(place_loses(&place, RECLAIMER_TRASH "/1-0"));
    assert_true(place_loses(&place, RECLAIMER_TRASH "/1-1"));
}

static void note_name(const char *name, void *arg)
{
    snprintf(arg, 64, RECLAIMER_TRASH "/%s", name);
}

/* Not even the owner can unlink a directory, so that one stands for a disk that refuses. */
PLACE_TEST(what_the_disk_refused_to_remove_goes_with_the_next_file)
{
    start();
    await_idle();
    static struct gate gate;
    gate = gate_make(1);
    reclaimer_take(reclaimer, &gate.job);
    place_write(&place, "a", bytes_of("content"));
    assert_true(reclaimer_unlink(reclaimer, place.directory, "a"));
    char name[64] = "";
    struct text why;
    text_init(&why, 256);
    int trash = openat(place.directory, RECLAIMER_TRASH, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    assert_true(files_each(trash, note_name, name, &why));
    close(trash);
    text_fini(&why);
    assert_int_equal(unlinkat(place.directory, name, 0), 0);
    assert_int_equal(mkdirat(place.directory, name, 0700), 0);
    open_gate(&gate);
    await_idle();
    assert_true(place_has(&place, name));
    assert_int_equal(unlinkat(place.directory, name, AT_REMOVEDIR), 0);
    place_write(&place, name, bytes_of("still there"));
    place_write(&place, "b", bytes_of("content"));
    assert_true(reclaimer_unlink(reclaimer, place.directory, "b"));
    await_idle();
    assert_false(place_has(&place, name));
}

PLACE_TEST(the_disk_gives_as_long_as_something_is_freed_and_once_afterwards)
{
    start();
    await_idle();
    uint64_t seen = 0;
    (void)reclaimer_gives(reclaimer, &seen);
    assert_false(reclaimer_gives(reclaimer, &seen));
    struct gate gate = gate_make(1);
    reclaimer_take(reclaimer, &gate.job);
    assert_true(reclaimer_gives(reclaimer, &seen));
    assert_true(reclaimer_gives(reclaimer, &seen));
    open_gate(&gate);
    await_idle();
    assert_true(reclaimer_gives(reclaimer, &seen));
    assert_false(reclaimer_gives(reclaimer, &seen));
    assert_false(reclaimer_gives(NULL, &seen));
}

/* A disk that hangs does not hold up the end. */
PLACE_TEST(the_end_does_not_wait_for_ever)
{
    unsigned before = test_descriptors();
    start();
    static struct gate gate;
    gate = gate_make(1);
    reclaimer_take(reclaimer, &gate.job);
    reclaimer_stop(&reclaimer, 10);
    assert_null(reclaimer);
    open_gate(&gate);
    pthread_mutex_lock(&gate.lock);
    while (!gate.done)
        pthread_cond_wait(&gate.changed, &gate.lock);
    pthread_mutex_unlock(&gate.lock);
    /* Its thread, which nobody waits for, closes what it has when it ends. */
    for (int i = 0; i < 100000 && test_descriptors() != before; i++)
        usleep(100);
    assert_int_equal(test_descriptors(), before);
}
