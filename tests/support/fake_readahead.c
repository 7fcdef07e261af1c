/* SPDX-License-Identifier: MIT */
#include "fake_readahead.h"

#include <errno.h>

#include "relay/store/page_cache.h"

struct readahead {
    struct readahead_job *first;
    struct readahead_job **last;
};

static struct readahead queue = {.last = &queue.first};
static bool is_cold;
static bool refuses_next;
static unsigned asked;

void fake_page_cache_set_cold(bool cold)
{
    is_cold = cold;
}

unsigned fake_page_cache_asked(void)
{
    return asked;
}

bool page_cache_has(int file, uint64_t position, size_t length)
{
    (void)file;
    (void)position;
    CHECK(length > 0);
    asked++;
    return !is_cold;
}

bool page_cache_fill(int file, uint64_t position, size_t length, uint8_t *through)
{
    (void)file;
    (void)position;
    (void)length;
    (void)through;
    UNREACHABLE("nobody reads here");
}

struct readahead *readahead_new(struct mailbox *home)
{
    (void)home;
    return &queue;
}

bool readahead_submit(struct readahead *readahead, struct readahead_job *job, struct error *error)
{
    CHECK(readahead == &queue);
    CHECK(!job->is_under_way);
    CHECK(job->length > 0);
    if (refuses_next) {
        refuses_next = false;
        return error_set_system(error, EMFILE, "cannot duplicate a descriptor");
    }
    job->is_under_way = true;
    job->next = NULL;
    *queue.last = job;
    queue.last = &job->next;
    return true;
}

void readahead_free(struct readahead **readahead)
{
    *readahead = NULL;
}

size_t fake_readahead_count(void)
{
    size_t count = 0;
    for (const struct readahead_job *job = queue.first; job != NULL; job = job->next)
        count++;
    return count;
}

const struct readahead_job *fake_readahead_oldest(void)
{
    return queue.first;
}

void fake_readahead_refuse_next(void)
{
    refuses_next = true;
}

void fake_readahead_do(int number, void (*home)(struct readahead_job *job))
{
    struct readahead_job *job = queue.first;
    CHECK(job != NULL);
    queue.first = job->next;
    if (queue.first == NULL)
        queue.last = &queue.first;
    job->number = number;
    job->was_cached = false;
    home(job);
}

void fake_readahead_reset(void)
{
    CHECK(queue.first == NULL);
    is_cold = refuses_next = false;
    asked = 0;
}
