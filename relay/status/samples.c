/* SPDX-License-Identifier: MIT */
#include "samples.h"

#include "relay/base/check.h"

static struct sample *samples_place(struct samples *samples, uint64_t number)
{
    return &samples->ring[number % SAMPLES_MAX];
}

uint64_t samples_oldest(const struct samples *samples)
{
    return samples->count > SAMPLES_MAX ? samples->count - SAMPLES_MAX + 1 : 1;
}

const struct sample *samples_at(const struct samples *samples, uint64_t number)
{
    CHECK(number >= samples_oldest(samples));
    CHECK(number <= samples->count);
    return &samples->ring[number % SAMPLES_MAX];
}

void samples_add(struct samples *samples, const struct sample *sample)
{
    /* Keeps them in order, which samples_behind_ms searches by. */
    for (uint64_t number = samples->count; number >= samples_oldest(samples); number--) {
        struct sample *earlier = samples_place(samples, number);
        if (earlier->published <= sample->published)
            break;
        earlier->published = sample->published;
    }
    samples->count++;
    *samples_place(samples, samples->count) = *sample;
}

/* When the stream went beyond `offset`, which it did between the two. */
static int64_t crossing_ms(const struct sample *before, const struct sample *after, uint64_t offset)
{
    double share =
        (double)(offset - before->published) / (double)(after->published - before->published);
    return before->at_ms + (int64_t)(share * (double)(after->at_ms - before->at_ms));
}

int64_t samples_behind_ms(const struct samples *samples, uint64_t offset, uint64_t published,
                          int64_t now_ms)
{
    uint64_t oldest = samples_oldest(samples);
    uint64_t low = oldest;
    uint64_t high = samples->count + 1;
    if (published <= offset)
        return 0;
    /* The first one in which there was more. Nearly all replicas are behind by less than a sample. */
    if (samples->count > 0 && samples_at(samples, samples->count)->published <= offset)
        low = high;
    while (low < high) {
        uint64_t middle = low + (high - low) / 2;
        if (samples_at(samples, middle)->published > offset)
            high = middle;
        else
            low = middle + 1;
    }
    const struct sample now = {.at_ms = now_ms, .published = published};
    const struct sample *after = low <= samples->count ? samples_at(samples, low) : &now;
    if (low == oldest)
        return now_ms - after->at_ms;
    return now_ms - crossing_ms(samples_at(samples, low - 1), after, offset);
}
