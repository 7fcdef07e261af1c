/* SPDX-License-Identifier: MIT */
#include "verifier.h"

#include <pthread.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <sys/resource.h>
#include <sys/syscall.h>
#include <time.h>
#include <unistd.h>

#include "relay/base/clock.h"
#include "relay/base/thread.h"

enum {
    PRIORITY_LEAST = 19,
    IO_WHO_PROCESS = 1,
    IO_LEAST = 2 << 13 | 7, /* best effort, the last of its levels */
    REST_PART = 4,          /* of the time that a piece took */
    REST_MS_MAX = 100,
};

struct verifier {
    pthread_t thread;
    pthread_mutex_t lock;
    pthread_cond_t changed;
    struct proof *submitted; /* under the lock, as all but the last two */
    struct proof *running;
    struct proof *done;
    bool stopping;
    void (*on_done)(void *arg); /* NULL: nobody wants to know */
    void *on_done_arg;
    int64_t piece_ms; /* its own: when the piece was begun */
    _Atomic uint64_t bytes;
};

static bool is_wanted(struct verifier *verifier, const struct proof *proof)
{
    pthread_mutex_lock(&verifier->lock);
    bool wanted = !verifier->stopping && !proof->is_abandoned;
    pthread_mutex_unlock(&verifier->lock);
    return wanted;
}

/* A part of what the piece took; it ends at once when it is not wanted any more. */
static void rest(struct verifier *verifier, int64_t took_ms)
{
    int64_t rest_ms = took_ms / REST_PART < REST_MS_MAX ? took_ms / REST_PART : REST_MS_MAX;
    struct timespec until = thread_deadline(rest_ms);
    pthread_mutex_lock(&verifier->lock);
    int error = 0;
    while (!verifier->stopping && !verifier->running->is_abandoned && error == 0)
        error = pthread_cond_timedwait(&verifier->changed, &verifier->lock, &until);
    pthread_mutex_unlock(&verifier->lock);
}

static bool verifier_go_on(void *arg, size_t bytes)
{
    struct proof *proof = arg;
    struct verifier *verifier = proof->verifier;
    atomic_fetch_add_explicit(&verifier->bytes, bytes, memory_order_relaxed);
    int64_t took_ms = clock_ms() - verifier->piece_ms;
    if (took_ms >= REST_PART)
        rest(verifier, took_ms);
    verifier->piece_ms = clock_ms();
    return is_wanted(verifier, proof);
}

static void verifier_prove(struct verifier *verifier, struct proof *proof)
{
    const struct files_pace pace = {
        .go_on = verifier_go_on, .arg = proof, .trusted = proof->is_trusted ? &proof->key : NULL};
    atomic_store_explicit(&verifier->bytes, 0, memory_order_relaxed);
    verifier->piece_ms = clock_ms();
    proof->work(proof, &pace);
}

/* Under the lock. */
static void verifier_finish(struct verifier *verifier)
{
    struct proof *proof = verifier->running;
    verifier->running = NULL;
    atomic_store_explicit(&verifier->bytes, 0, memory_order_relaxed);
    if (proof->is_abandoned) {
        proof->discard(proof);
        return;
    }
    verifier->done = proof;
    if (verifier->on_done != NULL)
        verifier->on_done(verifier->on_done_arg);
}

static void *verifier_run(void *arg)
{
    struct verifier *verifier = arg;
    thread_set_name("store-verify");
    /* Of this thread alone. Where they are refused it goes on as it is. */
    id_t thread = (id_t)syscall(SYS_gettid);
    (void)!setpriority(PRIO_PROCESS, thread, PRIORITY_LEAST);
    (void)!syscall(SYS_ioprio_set, IO_WHO_PROCESS, thread, IO_LEAST);
    pthread_mutex_lock(&verifier->lock);
    for (;;) {
        while (verifier->submitted == NULL && !verifier->stopping)
            pthread_cond_wait(&verifier->changed, &verifier->lock);
        if (verifier->stopping)
            break;
        verifier->running = verifier->submitted;
        verifier->submitted = NULL;
        pthread_mutex_unlock(&verifier->lock);
        verifier_prove(verifier, verifier->running);
        pthread_mutex_lock(&verifier->lock);
        verifier_finish(verifier);
    }
    pthread_mutex_unlock(&verifier->lock);
    return NULL;
}

static void verifier_free(struct verifier *verifier)
{
    pthread_cond_destroy(&verifier->changed);
    pthread_mutex_destroy(&verifier->lock);
    free(verifier);
}

struct verifier *verifier_start(void)
{
    struct verifier *verifier = calloc(1, sizeof(*verifier));
    if (verifier == NULL)
        return NULL;
    pthread_mutex_init(&verifier->lock, NULL);
    thread_cond_init(&verifier->changed);
    if (thread_start(&verifier->thread, verifier_run, verifier))
        return verifier;
    verifier_free(verifier);
    return NULL;
}

void verifier_stop(struct verifier **verifier)
{
    struct verifier *it = *verifier;
    if (it == NULL)
        return;
    verifier_abandon(it);
    pthread_mutex_lock(&it->lock);
    it->stopping = true;
    pthread_cond_broadcast(&it->changed);
    pthread_mutex_unlock(&it->lock);
    pthread_join(it->thread, NULL);
    verifier_free(it);
    *verifier = NULL;
}

void verifier_submit(struct verifier *verifier, struct proof *proof)
{
    pthread_mutex_lock(&verifier->lock);
    CHECK(verifier->submitted == NULL);
    CHECK(verifier->done == NULL);
    proof->verifier = verifier;
    proof->is_abandoned = false;
    verifier->submitted = proof;
    pthread_cond_broadcast(&verifier->changed);
    pthread_mutex_unlock(&verifier->lock);
}

struct proof *verifier_take(struct verifier *verifier)
{
    pthread_mutex_lock(&verifier->lock);
    struct proof *proof = verifier->done;
    verifier->done = NULL;
    pthread_mutex_unlock(&verifier->lock);
    return proof;
}

void verifier_abandon(struct verifier *verifier)
{
    pthread_mutex_lock(&verifier->lock);
    struct proof *unwanted[] = {verifier->submitted, verifier->done};
    verifier->submitted = NULL;
    verifier->done = NULL;
    if (verifier->running != NULL)
        verifier->running->is_abandoned = true;
    pthread_cond_broadcast(&verifier->changed);
    pthread_mutex_unlock(&verifier->lock);
    for (size_t i = 0; i < LENGTH_OF(unwanted); i++) {
        if (unwanted[i] != NULL)
            unwanted[i]->discard(unwanted[i]);
    }
}

void verifier_on_done(struct verifier *verifier, void (*fn)(void *arg), void *arg)
{
    pthread_mutex_lock(&verifier->lock);
    verifier->on_done = fn;
    verifier->on_done_arg = arg;
    pthread_mutex_unlock(&verifier->lock);
}

uint64_t verifier_bytes(const struct verifier *verifier)
{
    return atomic_load_explicit(&verifier->bytes, memory_order_relaxed);
}
