/* SPDX-License-Identifier: MIT */
#include "crc_reader.h"

#include <fcntl.h>
#include <stddef.h>
#include <stdlib.h>
#include <unistd.h>

#include "verifier.h"

enum { REMEMBERED_MAX = 16, WHY_MAX = 256 };

struct remembered {
    uint64_t number; /* 0: none */
    uint64_t bytes;
    uint64_t crc;
    bool failed;
};

/* What is read: its own, so that it outlives who asked. */
struct crc_job {
    struct proof proof;
    int file;
    uint64_t number;
    uint64_t from;
    uint64_t until;
    uint64_t crc; /* of what is before `from`, and then of all */
    bool good;
};

struct crc_reader {
    struct verifier *verifier;
    bool is_busy;
    uint64_t busy_with; /* the number */
    size_t next;        /* the place of the one that is forgotten next */
    struct remembered remembered[REMEMBERED_MAX];
};

static void crc_job_free(struct proof *proof)
{
    struct crc_job *job = (struct crc_job *)(void *)proof;
    close(job->file);
    free(job);
}

static void crc_job_work(struct proof *proof, const struct files_pace *pace)
{
    struct crc_job *job = (struct crc_job *)(void *)proof;
    struct text why;
    text_init(&why, WHY_MAX);
    job->good = files_crc64_from(job->file, job->from, job->until, &job->crc, pace, &why);
    text_fini(&why);
}

struct crc_reader *crc_reader_start(void)
{
    struct crc_reader *reader = calloc(1, sizeof(*reader));
    if (reader == NULL)
        return NULL;
    reader->verifier = verifier_start();
    if (reader->verifier == NULL) {
        free(reader);
        return NULL;
    }
    return reader;
}

void crc_reader_stop(struct crc_reader **reader)
{
    if (*reader == NULL)
        return;
    verifier_stop(&(*reader)->verifier);
    free(*reader);
    *reader = NULL;
}

void crc_reader_on_done(struct crc_reader *reader, void (*fn)(void *arg), void *arg)
{
    verifier_on_done(reader->verifier, fn, arg);
}

enum crc_reading crc_reader_find(const struct crc_reader *reader, uint64_t number, uint64_t bytes,
                                 uint64_t *crc)
{
    for (size_t i = 0; i < REMEMBERED_MAX; i++) {
        const struct remembered *it = &reader->remembered[i];
        if (it->number != number || it->bytes != bytes)
            continue;
        *crc = it->crc;
        return it->failed ? CRC_READING_FAILED : CRC_READING_DONE;
    }
    return CRC_READING_NONE;
}

/* Of what is remembered, what reaches farthest and not beyond `bytes`. */
static void find_beginning(const struct crc_reader *reader, uint64_t number, struct crc_job *job)
{
    for (size_t i = 0; i < REMEMBERED_MAX; i++) {
        const struct remembered *it = &reader->remembered[i];
        if (it->number != number || it->failed || it->bytes > job->until || it->bytes <= job->from)
            continue;
        job->from = it->bytes;
        job->crc = it->crc;
    }
}

void crc_reader_begin(struct crc_reader *reader, uint64_t number, int file, uint64_t bytes)
{
    uint64_t crc;
    if (reader->is_busy || crc_reader_find(reader, number, bytes, &crc) != CRC_READING_NONE)
        return;
    struct crc_job *job = calloc(1, sizeof(*job));
    if (job == NULL)
        return; /* asked again */
    job->file = fcntl(file, F_DUPFD_CLOEXEC, 0);
    if (job->file == -1) {
        free(job);
        return;
    }
    job->proof.work = crc_job_work;
    job->proof.discard = crc_job_free;
    job->number = number;
    job->until = bytes;
    find_beginning(reader, number, job);
    reader->is_busy = true;
    reader->busy_with = number;
    verifier_submit(reader->verifier, &job->proof);
}

bool crc_reader_take(struct crc_reader *reader)
{
    if (!reader->is_busy)
        return false;
    struct proof *proof = verifier_take(reader->verifier);
    if (proof == NULL)
        return false;
    struct crc_job *job = (struct crc_job *)(void *)proof;
    reader->is_busy = false;
    reader->remembered[reader->next++ % REMEMBERED_MAX] = (struct remembered){
        .number = job->number,
        .bytes = job->until,
        .crc = job->crc,
        .failed = !job->good,
    };
    crc_job_free(proof);
    return true;
}

void crc_reader_forget(struct crc_reader *reader, uint64_t number)
{
    if (reader->is_busy && reader->busy_with == number) {
        verifier_abandon(reader->verifier);
        reader->is_busy = false;
    }
    for (size_t i = 0; i < REMEMBERED_MAX; i++) {
        if (reader->remembered[i].number == number)
            reader->remembered[i] = (struct remembered){.number = 0};
    }
}

uint64_t crc_reader_bytes(const struct crc_reader *reader)
{
    return verifier_bytes(reader->verifier);
}
