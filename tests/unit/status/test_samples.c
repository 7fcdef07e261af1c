/* SPDX-License-Identifier: MIT */
#include "../../../relay/status/samples.h"

#include "test.h"

static struct samples samples;

static void add(int64_t at_ms, uint64_t published)
{
    samples_add(&samples, &(struct sample){.at_ms = at_ms, .published = published});
}

static int64_t behind(uint64_t offset, uint64_t published, int64_t now_ms)
{
    return samples_behind_ms(&samples, offset, published, now_ms);
}

TEST(nothing_was_sampled)
{
    samples = (struct samples){.count = 0};
    assert_int_equal(samples_oldest(&samples), 1);
    assert_int_equal(behind(0, 0, 5000), 0);
    assert_int_equal(behind(0, 100, 5000), 0);
}

TEST(keeps_the_last_ones)
{
    samples = (struct samples){.count = 0};
    for (int i = 1; i <= SAMPLES_MAX + 5; i++)
        add(i * 1000, (uint64_t)i);
    assert_int_equal(samples.count, SAMPLES_MAX + 5);
    assert_int_equal(samples_oldest(&samples), 6);
    for (uint64_t i = 6; i <= samples.count; i++)
        assert_int_equal(samples_at(&samples, i)->published, i);
}

TEST(tells_how_long_there_has_been_more)
{
    samples = (struct samples){.count = 0};
    add(1000, 100);
    add(2000, 200);
    add(3000, 200);
    add(4000, 400);
    assert_int_equal(behind(400, 400, 4500), 0);
    assert_int_equal(behind(300, 400, 4500), 1000); /* half way between 3000 and 4000 */
    assert_int_equal(behind(200, 400, 4500), 1500);
    assert_int_equal(behind(150, 400, 4500), 3000);
    assert_int_equal(behind(400, 500, 4500), 500); /* came since the last sample */
    assert_int_equal(behind(450, 500, 4500), 250);
    assert_int_equal(behind(20, 500, 4500), 3500); /* as far as they reach back */
    assert_int_equal(behind(900, 500, 4500), 0);
}

/* Against a look at each, for offsets around every sample. */
TEST(agrees_with_a_plain_search)
{
    uint64_t seed = 7;
    uint64_t published = 0;
    samples = (struct samples){.count = 0};
    for (int i = 1; i <= 3 * SAMPLES_MAX / 2; i++) {
        published += test_random(&seed) % 3;
        add(i * 1000, published);
    }
    int64_t now_ms = 3 * SAMPLES_MAX / 2 * 1000 + 300;
    for (uint64_t offset = 0; offset <= published + 2; offset++) {
        int64_t least = 0;
        for (uint64_t i = samples.count; i >= samples_oldest(&samples); i--) {
            if (samples_at(&samples, i)->published > offset)
                least = now_ms - samples_at(&samples, i)->at_ms;
        }
        int64_t told = behind(offset, published, now_ms);
        assert_in_range(told, least, least + 1000);
    }
}

TEST(a_stream_that_was_cut_back)
{
    samples = (struct samples){.count = 0};
    add(1000, 100);
    add(2000, 200);
    add(3000, 300);
    add(4000, 150);
    add(5000, 250);
    assert_int_equal(samples_at(&samples, 2)->published, 150);
    assert_int_equal(behind(120, 250, 5500), 4100);
    assert_int_equal(behind(200, 250, 5500), 1000);
}
