/* SPDX-License-Identifier: MIT
 *
 * The scheduler: alarms in a heap, fibers in a list. One step is one alarm or one stretch of one fiber. */
#include <errno.h>
#include <link.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <ucontext.h>

#include "process.h"
#include "relay/base/check.h"
#include "sim.h"

enum {
    FIBERS_MAX = 512, /* of all that were started in a run: a place is used again */
    STACK_BYTES = 512 * 1024,
    THREAD_VALUES_MAX = 1024,
    CALL_US = 1,
    STARVED_ONE_IN = 3000, /* calls, after which a thread gets no processor for a while */
    STARVED_US_MOST = 300 * SIM_MS,
};

enum fiber_state { FIBER_FREE, FIBER_READY, FIBER_WAITS, FIBER_ENDED };

struct fiber {
    enum fiber_state state;
    unsigned number;
    struct process *process;
    char name[24];
    ucontext_t context;
    void *stack;
    void *(*run)(void *);
    void *arg;
    void *result;
    const void *channel;
    int64_t until_us;
    int64_t starved_until_us; /* it could run, and gets no processor */
    bool was_woken;
    int error;
    char thread_values[THREAD_VALUES_MAX]; /* what is _Thread_local, and not zero at first */
};

struct alarm {
    int64_t when_us;
    uint64_t order;
    alarm_fn *fn;
    void *arg;
};

static int64_t now_us = SIM_S;
static uint64_t steps;
static bool is_stopped;
static unsigned yield_one_in = 8;

static struct alarm *alarms;
static size_t alarm_count;
static size_t alarm_capacity;
static uint64_t alarm_order;

static struct fiber *fibers[FIBERS_MAX];
static size_t fiber_count; /* places in use */
static unsigned fiber_numbers;
static struct fiber *running;
static ucontext_t scheduler;

static char *thread_block; /* of the one real thread */
static size_t thread_block_bytes;
static char thread_fresh[THREAD_VALUES_MAX];

/* ---- time ---- */

int64_t sim_now_us(void)
{
    return now_us;
}

static bool alarm_is_before(const struct alarm *a, const struct alarm *b)
{
    return a->when_us != b->when_us ? a->when_us < b->when_us : a->order < b->order;
}

void alarm_at(int64_t when_us, alarm_fn *fn, void *arg)
{
    if (alarm_count == alarm_capacity) {
        alarm_capacity = alarm_capacity == 0 ? 256 : alarm_capacity * 2;
        alarms = realloc(alarms, alarm_capacity * sizeof *alarms);
        CHECK(alarms != NULL);
    }
    size_t at = alarm_count++;
    struct alarm alarm = {when_us > now_us ? when_us : now_us, alarm_order++, fn, arg};
    for (; at > 0 && alarm_is_before(&alarm, &alarms[(at - 1) / 2]); at = (at - 1) / 2)
        alarms[at] = alarms[(at - 1) / 2];
    alarms[at] = alarm;
}

void alarm_in(int64_t delay_us, alarm_fn *fn, void *arg)
{
    alarm_at(now_us + delay_us, fn, arg);
}

static struct alarm alarm_take(void)
{
    struct alarm first = alarms[0];
    struct alarm last = alarms[--alarm_count];
    size_t at = 0;
    for (;;) {
        size_t child = at * 2 + 1;
        if (child >= alarm_count)
            break;
        if (child + 1 < alarm_count && alarm_is_before(&alarms[child + 1], &alarms[child]))
            child++;
        if (!alarm_is_before(&alarms[child], &last))
            break;
        alarms[at] = alarms[child];
        at = child;
    }
    alarms[at] = last;
    return first;
}

/* ---- fibers ---- */

static int find_thread_block(struct dl_phdr_info *info, size_t size, void *arg)
{
    (void)size;
    (void)arg;
    for (int i = 0; i < info->dlpi_phnum; i++) {
        if (info->dlpi_phdr[i].p_type != PT_TLS)
            continue;
        thread_block = info->dlpi_tls_data;
        thread_block_bytes = info->dlpi_phdr[i].p_filesz;
        CHECK(thread_block_bytes <= THREAD_VALUES_MAX);
        memcpy(thread_fresh, thread_block, thread_block_bytes);
    }
    return 1; /* the program is the first, and the libraries' are not the relay's */
}

static void fiber_main(void)
{
    struct fiber *fiber = running;
    fiber->result = fiber->run(fiber->arg);
    fiber->state = FIBER_ENDED;
    fiber_wake_all(fiber);
    setcontext(&scheduler);
}

static struct fiber *find_place(void)
{
    for (size_t i = 0; i < fiber_count; i++) {
        if (fibers[i]->state == FIBER_FREE)
            return fibers[i];
    }
    CHECK(fiber_count < FIBERS_MAX);
    struct fiber *fiber = calloc(1, sizeof *fiber);
    CHECK(fiber != NULL);
    fiber->stack = mmap(NULL, STACK_BYTES, PROT_READ | PROT_WRITE,
                        MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE | MAP_STACK, -1, 0);
    CHECK(fiber->stack != MAP_FAILED);
    CHECK(mprotect(fiber->stack, 4096, PROT_NONE) == 0);
    return fibers[fiber_count++] = fiber;
}

static void prepare_context(ucontext_t *context, void *stack)
{
    CHECK(getcontext(context) == 0);
    context->uc_stack.ss_sp = stack;
    context->uc_stack.ss_size = STACK_BYTES;
    context->uc_link = NULL;
    makecontext(context, fiber_main, 0);
}

struct fiber *fiber_start(struct process *process, const char *name, void *(*run)(void *),
                          void *arg)
{
    if (thread_block == NULL)
        dl_iterate_phdr(find_thread_block, NULL);
    struct fiber *fiber = find_place();
    fiber->state = FIBER_READY;
    fiber->number = ++fiber_numbers;
    fiber->process = process;
    fiber->run = run;
    fiber->arg = arg;
    fiber->result = NULL;
    fiber->error = 0;
    fiber->until_us = SIM_NEVER;
    fiber->starved_until_us = 0;
    size_t length = strnlen(name, sizeof fiber->name - 1);
    memcpy(fiber->name, name, length);
    fiber->name[length] = '\0';
    memcpy(fiber->thread_values, thread_fresh, thread_block_bytes);
    prepare_context(&fiber->context, fiber->stack);
    return fiber;
}

struct fiber *fiber_self(void)
{
    return running;
}

struct process *fiber_process(const struct fiber *fiber)
{
    return fiber->process;
}

bool fiber_has_ended(const struct fiber *fiber)
{
    return fiber->state == FIBER_ENDED || fiber->state == FIBER_FREE;
}

void *fiber_result(const struct fiber *fiber)
{
    return fiber->result;
}

unsigned fiber_number(const struct fiber *fiber)
{
    return fiber->number;
}

void fiber_release(struct fiber *fiber)
{
    CHECK(fiber->state == FIBER_ENDED);
    fiber->state = FIBER_FREE;
}

static void leave_fiber(void)
{
    struct fiber *fiber = running;
    fiber->error = errno;
    CHECK(swapcontext(&fiber->context, &scheduler) == 0);
    errno = fiber->error;
}

void fibers_kill(struct process *process)
{
    bool is_own = running != NULL && running->process == process;
    for (size_t i = 0; i < fiber_count; i++) {
        if (fibers[i]->process == process)
            fibers[i]->state = FIBER_FREE;
    }
    if (is_own)
        setcontext(&scheduler);
}

void fibers_starve(struct process *process, uint64_t dice, int64_t until_us)
{
    struct fiber *own[FIBERS_MAX];
    size_t count = 0;
    for (size_t i = 0; i < fiber_count; i++) {
        if (fibers[i]->process == process && !fiber_has_ended(fibers[i]))
            own[count++] = fibers[i];
    }
    if (count > 0)
        own[dice % count]->starved_until_us = until_us;
}

void fibers_delay(struct process *process, int64_t by_us)
{
    for (size_t i = 0; i < fiber_count; i++) {
        struct fiber *fiber = fibers[i];
        if (fiber->process == process && fiber->state == FIBER_WAITS &&
            fiber->until_us != SIM_NEVER)
            fiber->until_us += by_us;
    }
}

bool fiber_wait(const void *channel, int64_t until_us)
{
    CHECK(running != NULL);
    running->state = FIBER_WAITS;
    running->channel = channel;
    running->until_us = until_us;
    running->was_woken = false;
    leave_fiber();
    return running->was_woken;
}

static void wake(struct fiber *fiber)
{
    fiber->state = FIBER_READY;
    fiber->channel = NULL;
    fiber->was_woken = true;
}

void fiber_wake_all(const void *channel)
{
    for (size_t i = 0; i < fiber_count; i++) {
        if (fibers[i]->state == FIBER_WAITS && fibers[i]->channel == channel && channel != NULL)
            wake(fibers[i]);
    }
}

void fiber_wake_one(const void *channel)
{
    struct fiber *chosen = NULL;
    uint64_t seen = 0;
    for (size_t i = 0; i < fiber_count; i++) {
        if (fibers[i]->state == FIBER_WAITS && fibers[i]->channel == channel &&
            random_is_one_in(++seen))
            chosen = fibers[i];
    }
    if (chosen != NULL)
        wake(chosen);
}

void fiber_sleep(int64_t delay_us)
{
    fiber_wait(NULL, now_us + delay_us);
}

void fiber_yield(void)
{
    CHECK(running != NULL);
    leave_fiber();
}

void sim_set_yield(unsigned one_in)
{
    yield_one_in = one_in;
}

void sim_call(const char *name)
{
    if (running == NULL)
        return;
    now_us += CALL_US;
    process_count_call(running->process, name);
    if (random_is_one_in(STARVED_ONE_IN)) {
        running->starved_until_us = now_us + random_between(SIM_MS, STARVED_US_MOST);
        fiber_yield();
    }
    if (random_is_one_in(yield_one_in))
        fiber_yield();
}

/* ---- steps ---- */

static void run_fiber(struct fiber *fiber)
{
    process_enter(fiber->process);
    memcpy(thread_block, fiber->thread_values, thread_block_bytes);
    running = fiber;
    errno = fiber->error;
    CHECK(swapcontext(&scheduler, &fiber->context) == 0);
    running = NULL;
    memcpy(fiber->thread_values, thread_block, thread_block_bytes);
}

/* A fiber that can run, each with the same chance; NULL: none. *next_us: when the next one's time comes. */
static struct fiber *choose_fiber(int64_t *next_us)
{
    struct fiber *ready[FIBERS_MAX];
    size_t count = 0;
    for (size_t i = 0; i < fiber_count; i++) {
        struct fiber *fiber = fibers[i];
        if (fiber->state != FIBER_READY && fiber->state != FIBER_WAITS)
            continue;
        int64_t from_us = process_paused_until_us(fiber->process);
        if (fiber->starved_until_us > from_us)
            from_us = fiber->starved_until_us;
        if (fiber->state == FIBER_WAITS && fiber->until_us > from_us)
            from_us = fiber->until_us;
        if (from_us <= now_us)
            ready[count++] = fiber;
        else if (from_us < *next_us)
            *next_us = from_us;
    }
    return count == 0 ? NULL : ready[random_below(count)];
}

/* False: nothing will ever happen again. */
static bool sim_step(int64_t until_us)
{
    int64_t next_us = alarm_count > 0 ? alarms[0].when_us : SIM_NEVER;
    if (next_us <= now_us) {
        struct alarm alarm = alarm_take();
        alarm.fn(alarm.arg);
        return true;
    }
    struct fiber *fiber = choose_fiber(&next_us);
    if (fiber == NULL) {
        now_us = next_us < until_us ? next_us : until_us;
        return next_us != SIM_NEVER;
    }
    fiber->state = FIBER_READY;
    fiber->channel = NULL;
    run_fiber(fiber);
    return true;
}

void sim_stop(void)
{
    is_stopped = true;
    if (running != NULL)
        setcontext(&scheduler);
}

void sim_run(int64_t until_us, uint64_t steps_max)
{
    is_stopped = false;
    while (!is_stopped && now_us < until_us && sim_failure() == NULL) {
        if (!sim_step(until_us))
            break;
        if (++steps > steps_max)
            sim_fail("more than %llu steps: something turns without an end",
                     (unsigned long long)steps_max);
    }
}

uint64_t sim_steps(void)
{
    return steps;
}
