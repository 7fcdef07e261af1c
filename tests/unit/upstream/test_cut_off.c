/* SPDX-License-Identifier: MIT */
#include "../../../relay/upstream/cut_off.h"

#include "test.h"

#define MB ((uint64_t)1 << 20)

static struct cut_off cut;
static struct primary_info info;
static struct text what;
static struct text advice;

/* Ten seconds, in which 30 of 100 MB came; 20 MB were written in the twenty since it began. */
static int set_up(void **state)
{
    (void)state;
    cut = (struct cut_off){.exists = true,
                           .phase = CUT_OFF_IN_RDB,
                           .x = 1000,
                           .received = 30 * MB,
                           .total = 100 * MB,
                           .began_ms = 5000,
                           .ended_ms = 15000};
    primary_info_init(&info);
    info.has_role = true;
    info.offset = 1000 + 20 * MB;
    text_init(&what, CUT_OFF_WORDS_MAX - 1);
    text_init(&advice, CUT_OFF_WORDS_MAX - 1);
    return 0;
}

static int tear_down(void **state)
{
    (void)state;
    text_fini(&what);
    text_fini(&advice);
    return 0;
}

#define CUT_OFF_TEST(name) TEST_SETUP(name, set_up, tear_down)

static void set_limit(uint64_t hard, uint64_t soft, uint64_t seconds)
{
    info.output_limit = (struct primary_output_limit){true, hard, soft, seconds};
}

static bool judge(const uint64_t *disconnections)
{
    text_clear(&what);
    text_clear(&advice);
    bool was_limit = cut_off_judge(&cut, &info, disconnections, 25000, &what, &advice);
    assert_false(what.failed);
    assert_false(advice.failed);
    return was_limit;
}

static void assert_says(const struct text *text, const char *part)
{
    if (strstr(text_string(text), part) == NULL)
        fail_msg("\"%s\" is not in: %s", part, text_string(text));
}

CUT_OFF_TEST(what_may_have_been_by_phase)
{
    cut_off_causes(&cut, true, &what);
    assert_string_equal(text_string(&what),
                        " after 30.0 MB of 100.0 MB of the RDB (10.0 s): its child could not write "
                        "the RDB, or what was written meanwhile exceeded its "
                        "client-output-buffer-limit for replicas: its log says which");
    text_clear(&what);
    cut.total = 0;
    cut.received = 2048;
    cut_off_causes(&cut, false, &what);
    assert_says(&what, " after 2.0 KB of the RDB (10.0 s): its child could not write the RDB: ");
    text_clear(&what);
    cut.phase = CUT_OFF_BEFORE_RDB;
    cut_off_causes(&cut, true, &what);
    assert_says(&what, " before the RDB began (10.0 s): it could not fork");
    text_clear(&what);
    cut.phase = CUT_OFF_BEFORE_STREAM;
    cut_off_causes(&cut, true, &what);
    assert_says(&what, "before the stream: most likely");
}

/* It has no child that writes an RDB, and no such limit. */
CUT_OFF_TEST(a_relay_has_other_causes)
{
    cut.is_relay = true;
    cut_off_causes(&cut, true, &what);
    assert_string_equal(text_string(&what),
                        " after 30.0 MB of 100.0 MB of the RDB (10.0 s): the network, or the relay "
                        "that is followed: its log says so");
}

CUT_OFF_TEST(the_hard_limit)
{
    set_limit(8 * MB, 0, 0);
    assert_true(judge(NULL));
    assert_says(&what, "About 10.0 MB of the stream were written meanwhile (1.0 MB/s).");
    assert_says(&what, "client-output-buffer-limit for replicas is 8.0 MB, or 0.0 KB for 0 s");
    /* 33 MB are written in the time that 100 MB take, and as much again for safety. */
    assert_says(&advice, "needs at least 33.3 MB");
    assert_says(&advice, "CONFIG SET client-output-buffer-limit \"replica 70254592 70254592 60\"");
    cut.total = 0; /* it does not tell: as large as its data */
    info.dataset_bytes = 120 * MB;
    assert_true(judge(NULL));
    assert_says(&advice, "needs at least 40.0 MB");
    set_limit(256 * MB, 0, 0);
    assert_false(judge(NULL));
    assert_says(&advice, "It was not that limit");
}

CUT_OFF_TEST(the_soft_limit)
{
    set_limit(256 * MB, 8 * MB, 5);
    assert_true(judge(NULL));
    set_limit(256 * MB, 8 * MB, 60);
    assert_false(judge(NULL));
}

CUT_OFF_TEST(the_count_of_the_primary_is_believed)
{
    uint64_t before = 4;
    set_limit(8 * MB, 0, 0);
    info.has_disconnections = true;
    assert_false(judge(&before)); /* it has closed nobody ever */
    info.disconnections = 4;
    assert_false(judge(&before));
    info.disconnections = 5;
    assert_true(judge(&before));
    set_limit(256 * MB, 0, 0);
    assert_true(judge(&before));
    assert_false(judge(NULL)); /* that may have been others */
    assert_says(&advice, "The primary's log says whether");
}

CUT_OFF_TEST(what_is_not_known_is_not_said)
{
    info.has_role = false;
    assert_false(judge(NULL));
    assert_says(&what, "after 30.0 MB of 100.0 MB of the RDB (10.0 s).");
    assert_null(strstr(text_string(&what), "written"));
    assert_says(&advice, "+config|get");
    set_limit(0, 0, 0);
    info.has_role = true;
    assert_false(judge(NULL));
    assert_says(&what, "The primary has no client-output-buffer-limit for replicas.");
    assert_says(&advice, "It was not that limit");
}
