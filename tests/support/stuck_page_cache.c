/* SPDX-License-Identifier: MIT */
#include "stuck_page_cache.h"

#include <pthread.h>
#include <stdbool.h>

#include "relay/store/page_cache.h"

static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;
static pthread_cond_t changed = PTHREAD_COND_INITIALIZER;
static bool is_held;
static unsigned waiting;
static unsigned reads;

void stuck_disk_hold(void)
{
    pthread_mutex_lock(&lock);
    is_held = true;
    pthread_mutex_unlock(&lock);
}

void stuck_disk_release(void)
{
    pthread_mutex_lock(&lock);
    is_held = false;
    pthread_cond_broadcast(&changed);
    pthread_mutex_unlock(&lock);
}

void stuck_disk_await(unsigned count)
{
    pthread_mutex_lock(&lock);
    while (waiting < count)
        pthread_cond_wait(&changed, &lock);
    pthread_mutex_unlock(&lock);
}

unsigned stuck_disk_reads(void)
{
    pthread_mutex_lock(&lock);
    unsigned count = reads;
    pthread_mutex_unlock(&lock);
    return count;
}

bool page_cache_has(int file, uint64_t position, size_t length)
{
    (void)file;
    (void)position;
    (void)length;
    return false;
}

bool page_cache_fill(int file, uint64_t position, size_t length, uint8_t *through)
{
    (void)file;
    (void)position;
    (void)length;
    through[0] = 0;
    pthread_mutex_lock(&lock);
    waiting++;
    pthread_cond_broadcast(&changed);
    while (is_held)
        pthread_cond_wait(&changed, &lock);
    waiting--;
    reads++;
    pthread_mutex_unlock(&lock);
    return true;
}
