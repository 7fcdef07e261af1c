/* SPDX-License-Identifier: MIT */
#include "reclaimer.h"

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <pthread.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include "files.h"
#include "relay/base/clock.h"
#include "relay/base/log.h"
#include "relay/base/text.h"
#include "relay/base/thread.h"

enum { WHY_MAX = 256, NAME_MAX_LENGTH = 48, BLOCK = 512 };

struct reclaimer {
    pthread_t thread;
    int data_dir; /* ours */
    int64_t
        started; /* the wall's microseconds: names in the trash do not meet those of a start before */
    pthread_mutex_t lock;
    pthread_cond_t changed;
    struct reclaim_job *first; /* under the lock, as all below */
    struct reclaim_job **last;
    bool busy;
    bool stopping;
    bool is_left; /* it frees itself: nobody waits for it any more */
    uint64_t bytes;
    unsigned announced;
    uint64_t done;    /* jobs */
    uint64_t removed; /* files: the next name in the trash */
    int trash;        /* -1: not made yet, or there is no room for it */
    bool
        has_left_over; /* its thread's, without the lock: the disk refused to remove a file in the trash */
};

/* A file that has its number in the trash. */
struct removal {
    struct reclaim_job job;
    struct reclaimer *reclaimer;
    int trash;
    uint64_t number;
    int64_t started;
};

static void trash_name(int64_t started, uint64_t number, char name[NAME_MAX_LENGTH])
{
    snprintf(name, NAME_MAX_LENGTH, "%" PRIi64 "-%" PRIu64, started, number);
}

static void remove_from_trash(struct reclaimer *reclaimer, int trash, const char *name)
{
    if (unlinkat(trash, name, 0) == 0 || errno == ENOENT)
        return;
    log_warn("store: cannot remove " RECLAIMER_TRASH "/%s", name);
    reclaimer->has_left_over = true;
}

struct emptying {
    struct reclaimer *reclaimer;
    int trash;
};

static void remove_left_over(const char *name, void *arg)
{
    const struct emptying *emptying = arg;
    remove_from_trash(emptying->reclaimer, emptying->trash, name);
}

/* What a process before us did not come to, or what the disk refused before. Ours may be among them by now: they
 * only go a little earlier. */
static void empty_trash(struct reclaimer *reclaimer)
{
    reclaimer->has_left_over = false;
    int trash = openat(reclaimer->data_dir, RECLAIMER_TRASH, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    if (trash == -1)
        return;
    struct text why;
    text_init(&why, WHY_MAX);
    struct emptying emptying = {reclaimer, trash};
    if (!files_each(trash, remove_left_over, &emptying, &why))
        log_warnx("store: " RECLAIMER_TRASH ": %s", text_string(&why));
    text_fini(&why);
    close(trash);
}

static void reclaimer_free(struct reclaimer *reclaimer)
{
    if (reclaimer->trash != -1)
        close(reclaimer->trash);
    /* Nothing is left in it, as a rule. */
    unlinkat(reclaimer->data_dir, RECLAIMER_TRASH, AT_REMOVEDIR);
    close(reclaimer->data_dir);
    pthread_cond_destroy(&reclaimer->changed);
    pthread_mutex_destroy(&reclaimer->lock);
    free(reclaimer);
}

static struct reclaim_job *take_first(struct reclaimer *reclaimer)
{
    struct reclaim_job *job = reclaimer->first;
    reclaimer->first = job->next;
    if (reclaimer->first == NULL)
        reclaimer->last = &reclaimer->first;
    return job;
}

static void *reclaimer_run(void *arg)
{
    struct reclaimer *reclaimer = arg;
    thread_set_name("store-free");
    empty_trash(reclaimer);
    pthread_mutex_lock(&reclaimer->lock);
    reclaimer->busy = false;
    for (;;) {
        pthread_cond_broadcast(&reclaimer->changed);
        while (reclaimer->first == NULL && (!reclaimer->stopping || reclaimer->announced > 0))
            pthread_cond_wait(&reclaimer->changed, &reclaimer->lock);
        if (reclaimer->first == NULL)
            break;
        struct reclaim_job *job = take_first(reclaimer);
        uint64_t bytes = job->bytes;
        reclaimer->busy = true;
        pthread_mutex_unlock(&reclaimer->lock);
        job->work(job);
        pthread_mutex_lock(&reclaimer->lock);
        reclaimer->bytes -= bytes;
        reclaimer->done++;
        reclaimer->busy = false;
    }
    bool is_left = reclaimer->is_left;
    pthread_mutex_unlock(&reclaimer->lock);
    if (is_left)
        reclaimer_free(reclaimer);
    return NULL;
}

struct reclaimer *reclaimer_start(int data_dir)
{
    struct reclaimer *reclaimer = calloc(1, sizeof(*reclaimer));
    if (reclaimer == NULL)
        return NULL;
    reclaimer->data_dir = fcntl(data_dir, F_DUPFD_CLOEXEC, 0);
    if (reclaimer->data_dir == -1) {
        free(reclaimer);
        return NULL;
    }
    reclaimer->last = &reclaimer->first;
    reclaimer->trash = -1;
    reclaimer->started = clock_wall_us();
    reclaimer->busy = true; /* with the trash */
    pthread_mutex_init(&reclaimer->lock, NULL);
    thread_cond_init(&reclaimer->changed);
    if (!thread_start(&reclaimer->thread, reclaimer_run, reclaimer)) {
        reclaimer_free(reclaimer);
        return NULL;
    }
    return reclaimer;
}

static bool is_busy(const struct reclaimer *reclaimer)
{
    return reclaimer->busy || reclaimer->first != NULL || reclaimer->announced > 0;
}

bool reclaimer_stop(struct reclaimer **reclaimer, int64_t limit_ms)
{
    struct reclaimer *it = *reclaimer;
    *reclaimer = NULL;
    if (it == NULL)
        return true;
    struct timespec limit = thread_deadline(limit_ms);
    pthread_mutex_lock(&it->lock);
    int error = 0;
    while (is_busy(it) && error != ETIMEDOUT)
        error = pthread_cond_timedwait(&it->changed, &it->lock, &limit);
    it->stopping = true;
    it->is_left = is_busy(it);
    bool is_left = it->is_left;
    uint64_t bytes = it->bytes;
    pthread_t thread = it->thread;
    pthread_cond_broadcast(&it->changed);
    pthread_mutex_unlock(&it->lock);
    if (is_left) {
        log_warnx("store: %" PRIu64 " bytes of removed files are not freed yet: what is left of "
                  "them is freed by the next start",
                  bytes);
        pthread_detach(thread);
        return false;
    }
    pthread_join(thread, NULL);
    reclaimer_free(it);
    return true;
}

int reclaimer_directory(const struct reclaimer *reclaimer)
{
    return reclaimer->data_dir;
}

void reclaimer_take(struct reclaimer *reclaimer, struct reclaim_job *job)
{
    if (reclaimer == NULL) {
        job->work(job);
        return;
    }
    job->next = NULL;
    pthread_mutex_lock(&reclaimer->lock);
    *reclaimer->last = job;
    reclaimer->last = &job->next;
    reclaimer->bytes += job->bytes;
    pthread_cond_broadcast(&reclaimer->changed);
    pthread_mutex_unlock(&reclaimer->lock);
}

void reclaimer_announce(struct reclaimer *reclaimer, uint64_t bytes)
{
    if (reclaimer == NULL)
        return;
    pthread_mutex_lock(&reclaimer->lock);
    reclaimer->announced++;
    reclaimer->bytes += bytes;
    pthread_mutex_unlock(&reclaimer->lock);
}

void reclaimer_announced_done(struct reclaimer *reclaimer, uint64_t bytes)
{
    if (reclaimer == NULL)
        return;
    pthread_mutex_lock(&reclaimer->lock);
    reclaimer->announced--;
    reclaimer->bytes -= bytes;
    pthread_cond_broadcast(&reclaimer->changed);
    pthread_mutex_unlock(&reclaimer->lock);
}

/* What the disk refused before goes with the next file that it removes. */
static void finish_removal(struct reclaim_job *job)
{
    struct removal *removal = (struct removal *)(void *)job;
    struct reclaimer *reclaimer = removal->reclaimer;
    bool had_left_over = reclaimer->has_left_over;
    char name[NAME_MAX_LENGTH];
    trash_name(removal->started, removal->number, name);
    reclaimer->has_left_over = false;
    remove_from_trash(reclaimer, removal->trash, name);
    if (had_left_over && !reclaimer->has_left_over)
        empty_trash(reclaimer);
    else
        reclaimer->has_left_over |= had_left_over;
    free(removal);
}

/* Opened when it is needed first; -1: the disk has no room for it, or refuses. *number: the next name. */
static int open_trash(struct reclaimer *reclaimer, uint64_t *number)
{
    pthread_mutex_lock(&reclaimer->lock);
    if (reclaimer->trash == -1) {
        struct text why;
        text_init(&why, WHY_MAX);
        reclaimer->trash = files_open_directory(reclaimer->data_dir, RECLAIMER_TRASH, &why);
        text_fini(&why);
    }
    *number = reclaimer->removed++;
    int trash = reclaimer->trash;
    pthread_mutex_unlock(&reclaimer->lock);
    return trash;
}

/* False: it is where it was. */
static bool move_to_trash(struct reclaimer *reclaimer, int directory, const char *name)
{
    struct stat about;
    struct removal *removal = calloc(1, sizeof(*removal));
    if (removal == NULL)
        return false;
    removal->trash = open_trash(reclaimer, &removal->number);
    removal->started = reclaimer->started;
    removal->reclaimer = reclaimer;
    char beside[NAME_MAX_LENGTH];
    trash_name(removal->started, removal->number, beside);
    if (removal->trash == -1 || fstatat(directory, name, &about, AT_SYMLINK_NOFOLLOW) == -1 ||
        !S_ISREG(about.st_mode) || renameat(directory, name, removal->trash, beside) == -1) {
        free(removal);
        return false;
    }
    removal->job.work = finish_removal;
    if (about.st_nlink == 1) /* under another name it stays where it is */
        removal->job.bytes = (uint64_t)about.st_blocks * BLOCK;
    reclaimer_take(reclaimer, &removal->job);
    return true;
}

bool reclaimer_unlink(struct reclaimer *reclaimer, int directory, const char *name)
{
    if (reclaimer != NULL && move_to_trash(reclaimer, directory, name))
        return true;
    return unlinkat(directory, name, 0) == 0; /* it waits for the disk, but it does go */
}

bool reclaimer_is_busy(struct reclaimer *reclaimer)
{
    if (reclaimer == NULL)
        return false;
    pthread_mutex_lock(&reclaimer->lock);
    bool busy = is_busy(reclaimer);
    pthread_mutex_unlock(&reclaimer->lock);
    return busy;
}

bool reclaimer_gives(struct reclaimer *reclaimer, uint64_t *seen)
{
    if (reclaimer == NULL)
        return false;
    pthread_mutex_lock(&reclaimer->lock);
    bool gives = is_busy(reclaimer) || reclaimer->done != *seen;
    *seen = reclaimer->done;
    pthread_mutex_unlock(&reclaimer->lock);
    return gives;
}

uint64_t reclaimer_bytes(struct reclaimer *reclaimer)
{
    if (reclaimer == NULL)
        return 0;
    pthread_mutex_lock(&reclaimer->lock);
    uint64_t bytes = reclaimer->bytes;
    pthread_mutex_unlock(&reclaimer->lock);
    return bytes;
}
