/* SPDX-License-Identifier: MIT */
#include "prover.h"

#include <pthread.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <sys/resource.h>
#include <sys/syscall.h>
#include <time.h>
#include <unistd.h>

#include "relay/base/clock.h"

enum {
    PRIORITY_LEAST = 19,
    IO_WHO_PROCESS = 1,
    IO_LEAST = 2 << 13 | 7, /* best effort, the last of its levels */
    REST_PART = 4,          /* of the time that a piece took */
    REST_MS_MAX = 100,
};

struct prover {
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

static bool is_wanted(struct prover *prover, const struct proof *proof)
{
    pthread_mutex_lock(&prover->lock);
    bool wanted = !prover->stopping && !proof->is_abandoned;
    pthread_mutex_unlock(&prover->lock);
    return wanted;
}

/* A part of what the piece took; it ends at once when it is not wanted any more. */
static void rest(struct prover *prover, int64_t took_ms)
{
    struct timespec until;
    CHECK(clock_gettime(CLOCK_MONOTONIC, &until) == 0);
    int64_t rest_ms = took_ms / REST_PART < REST_MS_MAX ? took_ms / REST_PART : REST_MS_MAX;
    until.tv_nsec += rest_ms * 1000000;
    if (until.tv_nsec >= 1000000000) {
        until.tv_sec++;
        until.tv_nsec -= 1000000000;
    }
    pthread_mutex_lock(&prover->lock);
    int error = 0;
    while (!prover->stopping && !prover->running->is_abandoned && error == 0)
        error = pthread_cond_timedwait(&prover->changed, &prover->lock, &until);
    pthread_mutex_unlock(&prover->lock);
}

static bool go_on(void *arg, size_t bytes)
{
    struct proof *proof = arg;
    struct prover *prover = proof->prover;
    atomic_fetch_add_explicit(&prover->bytes, bytes, memory_order_relaxed);
    int64_t took_ms = clock_ms() - prover->piece_ms;
    if (took_ms >= REST_PART)
        rest(prover, took_ms);
    prover->piece_ms = clock_ms();
    return is_wanted(prover, proof);
}

static void prove(struct prover *prover, struct proof *proof)
{
    const struct files_pace pace = {
        .go_on = go_on, .arg = proof, .trusted = proof->is_trusted ? &proof->key : NULL};
    atomic_store_explicit(&prover->bytes, 0, memory_order_relaxed);
    prover->piece_ms = clock_ms();
    proof->work(proof, &pace);
}

/* Under the lock. */
static void finish(struct prover *prover)
{
    struct proof *proof = prover->running;
    prover->running = NULL;
    atomic_store_explicit(&prover->bytes, 0, memory_order_relaxed);
    if (proof->is_abandoned) {
        proof->discard(proof);
        return;
    }
    prover->done = proof;
    if (prover->on_done != NULL)
        prover->on_done(prover->on_done_arg);
}

static void *run(void *arg)
{
    struct prover *prover = arg;
    /* Of this thread alone. Where they are refused it goes on as it is. */
    id_t thread = (id_t)syscall(SYS_gettid);
    (void)!setpriority(PRIO_PROCESS, thread, PRIORITY_LEAST);
    (void)!syscall(SYS_ioprio_set, IO_WHO_PROCESS, thread, IO_LEAST);
    pthread_mutex_lock(&prover->lock);
    for (;;) {
        while (prover->submitted == NULL && !prover->stopping)
            pthread_cond_wait(&prover->changed, &prover->lock);
        if (prover->stopping)
            break;
        prover->running = prover->submitted;
        prover->submitted = NULL;
        pthread_mutex_unlock(&prover->lock);
        prove(prover, prover->running);
        pthread_mutex_lock(&prover->lock);
        finish(prover);
    }
    pthread_mutex_unlock(&prover->lock);
    return NULL;
}

static bool start_thread(struct prover *prover)
{
    /* Signals are thread 0's. */
    sigset_t all, before;
    sigfillset(&all);
    pthread_sigmask(SIG_SETMASK, &all, &before);
    int error = pthread_create(&prover->thread, NULL, run, prover);
    pthread_sigmask(SIG_SETMASK, &before, NULL);
    return error == 0;
}

static void prover_free(struct prover *prover)
{
    pthread_cond_destroy(&prover->changed);
    pthread_mutex_destroy(&prover->lock);
    free(prover);
}

struct prover *prover_start(void)
{
    struct prover *prover = calloc(1, sizeof(*prover));
    if (prover == NULL)
        return NULL;
    pthread_mutex_init(&prover->lock, NULL);
    pthread_condattr_t monotonic;
    pthread_condattr_init(&monotonic);
    pthread_condattr_setclock(&monotonic, CLOCK_MONOTONIC);
    pthread_cond_init(&prover->changed, &monotonic);
    pthread_condattr_destroy(&monotonic);
    if (start_thread(prover))
        return prover;
    prover_free(prover);
    return NULL;
}

void prover_stop(struct prover **prover)
{
    struct prover *it = *prover;
    if (it == NULL)
        return;
    prover_abandon(it);
    pthread_mutex_lock(&it->lock);
    it->stopping = true;
    pthread_cond_broadcast(&it->changed);
    pthread_mutex_unlock(&it->lock);
    pthread_join(it->thread, NULL);
    prover_free(it);
    *prover = NULL;
}

void prover_submit(struct prover *prover, struct proof *proof)
{
    pthread_mutex_lock(&prover->lock);
    CHECK(prover->submitted == NULL);
    CHECK(prover->done == NULL);
    proof->prover = prover;
    proof->is_abandoned = false;
    prover->submitted = proof;
    pthread_cond_broadcast(&prover->changed);
    pthread_mutex_unlock(&prover->lock);
}

struct proof *prover_take(struct prover *prover)
{
    pthread_mutex_lock(&prover->lock);
    struct proof *proof = prover->done;
    prover->done = NULL;
    pthread_mutex_unlock(&prover->lock);
    return proof;
}

void prover_abandon(struct prover *prover)
{
    pthread_mutex_lock(&prover->lock);
    struct proof *unwanted[] = {prover->submitted, prover->done};
    prover->submitted = NULL;
    prover->done = NULL;
    if (prover->running != NULL)
        prover->running->is_abandoned = true;
    pthread_cond_broadcast(&prover->changed);
    pthread_mutex_unlock(&prover->lock);
    for (size_t i = 0; i < LENGTH_OF(unwanted); i++) {
        if (unwanted[i] != NULL)
            unwanted[i]->discard(unwanted[i]);
    }
}

void prover_on_done(struct prover *prover, void (*fn)(void *arg), void *arg)
{
    pthread_mutex_lock(&prover->lock);
    prover->on_done = fn;
    prover->on_done_arg = arg;
    pthread_mutex_unlock(&prover->lock);
}

uint64_t prover_bytes(const struct prover *prover)
{
    return atomic_load_explicit(&prover->bytes, memory_order_relaxed);
}
