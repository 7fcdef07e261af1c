/* SPDX-License-Identifier: MIT */
#include "delay.h"

#include <inttypes.h>

#include "relay/base/check.h"
#include "relay/base/clock.h"
#include "relay/base/log.h"
#include "relay/store/history.h"

#define MICROSECONDS_OF_MS INT64_C(1000)

void delay_init(struct delay *delay, int64_t delay_ms)
{
    *delay = (struct delay){.delay_ms = delay_ms};
}

void delay_set(struct delay *delay, int64_t delay_ms)
{
    /* What was taken off for a step counts for the longer delay, too. */
    for (size_t i = 0; i < delay->step_count && delay_ms > delay->delay_ms; i++)
        delay->steps[i].until_ms += delay_ms - delay->delay_ms;
    delay->delay_ms = delay_ms;
}

/* ------------------------------------------------------------------ the clock */

static void forget_steps(struct delay *delay, int64_t now_ms)
{
    size_t left = 0;
    for (size_t i = 0; i < delay->step_count; i++) {
        if (delay->steps[i].until_ms > now_ms)
            delay->steps[left++] = delay->steps[i];
    }
    delay->step_count = left;
}

static void add_step(struct delay *delay, int64_t forward_us, int64_t now_ms)
{
    int64_t until_ms = now_ms + delay->delay_ms;
    if (delay->step_count ==
        DELAY_STEPS_MAX) { /* the newest two become one, that counts for longer */
        struct delay_step *newest = &delay->steps[DELAY_STEPS_MAX - 1];
        newest->forward_us += forward_us;
        newest->until_ms = until_ms;
        return;
    }
    delay->steps[delay->step_count++] =
        (struct delay_step){.forward_us = forward_us, .until_ms = until_ms};
}

static void note_clock(struct delay *delay, int64_t wall_us, int64_t now_ms)
{
    int64_t ahead_us = wall_us - now_ms * MICROSECONDS_OF_MS;
    int64_t forward_us = ahead_us - delay->ahead_us;
    bool is_step = delay->has_looked && forward_us > DELAY_STEP_LEAST_MS * MICROSECONDS_OF_MS;
    forget_steps(delay, now_ms);
    delay->ahead_us = ahead_us;
    delay->has_looked = true;
    if (!is_step)
        return;
    add_step(delay, forward_us, now_ms);
    log_warnx("downstream: the clock was set forward by %.1f s: replicas that run behind are held "
              "back by as much for the next %.0f s",
              (double)forward_us / 1e6, (double)delay->delay_ms / 1000);
}

int64_t delay_added_us(const struct delay *delay, int64_t now_ms)
{
    int64_t added_us = 0;
    for (size_t i = 0; i < delay->step_count; i++) {
        if (delay->steps[i].until_ms > now_ms)
            added_us += delay->steps[i].forward_us;
    }
    return added_us;
}

/* ------------------------------------------------------------------ what is due */

/* Of another branch, or of another history, what was due before counts as far as it is common with it. */
static void note_history(struct delay *delay, const struct history *history)
{
    uint64_t number = history != NULL ? history_number(history) : 0;
    const struct branches *branches = history != NULL ? history_branches(history) : NULL;
    uint64_t common = 0;
    if (number == delay->history_number && branches != NULL)
        common = branches_common_end(branches, delay->branch);
    if (delay->due > common)
        delay->due = common;
    delay->has_due = delay->has_due && number == delay->history_number;
    delay->history_number = number;
    delay->branch = branches != NULL ? branches->current : 0;
}

bool delay_look(struct delay *delay, const struct history *history)
{
    uint64_t before = delay->due;
    bool had_due = delay->has_due;
    uint64_t number_before = delay->history_number;
    int64_t wall_us = clock_wall_us();
    int64_t now_ms = clock_ms();
    note_clock(delay, wall_us, now_ms);
    note_history(delay, history);
    struct time_answer answer;
    int64_t late_us = delay->delay_ms * MICROSECONDS_OF_MS + delay_added_us(delay, now_ms);
    if (history != NULL && history_offset_at(history, wall_us - late_us, &answer)) {
        delay->has_due = true;
        if (answer.entry.offset > delay->due)
            delay->due = answer.entry.offset;
    }
    return delay->due != before || delay->has_due != had_due ||
           delay->history_number != number_before;
}
