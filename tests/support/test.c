/* SPDX-License-Identifier: MIT */
#include "test.h"

#include <fcntl.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>

#include "relay/base/check.h"
#include "relay/base/log.h"
#include "relay/base/text.h"

enum { TESTS_MAX = 256, DESCRIPTORS_MAX = 1024 };

static struct test *registered;
static CMFixtureFunction group_setup;
static CMFixtureFunction group_teardown;

void test_register(struct test *test)
{
    /* The order of constructors is the compiler's business; the order of lines is the author's. */
    struct test **place = &registered;
    while (*place != NULL && (*place)->line < test->line)
        place = &(*place)->next;
    test->next = *place;
    *place = test;
}

void test_register_group(CMFixtureFunction setup, CMFixtureFunction teardown)
{
    group_setup = setup;
    group_teardown = teardown;
}

unsigned test_descriptors(void)
{
    unsigned count = 0;
    for (int file = 0; file < DESCRIPTORS_MAX; file++)
        count += fcntl(file, F_GETFD) != -1;
    return count;
}

unsigned test_stride(unsigned quick)
{
    return getenv("TESTS_ALL") != NULL ? 1 : quick;
}

static pid_t start_process(unsigned number, test_process_fn *run, void *arg)
{
    fflush(NULL);
    pid_t process = fork();
    assert_true(process != -1);
    if (process != 0)
        return process;
    /* cmocka would go on with the next test here: a failed assertion is to end this process instead. */
    const struct rlimit no_core = {0, 0};
    setrlimit(RLIMIT_CORE, &no_core);
    setenv("CMOCKA_TEST_ABORT", "1", 1);
    run(number, arg);
    fflush(NULL);
    _exit(0);
}

void test_in_processes(test_process_fn *run, void *arg)
{
    pid_t processes[TEST_PROCESSES];
    for (unsigned i = 0; i < TEST_PROCESSES; i++)
        processes[i] = start_process(i, run, arg);
    unsigned failed = 0;
    for (unsigned i = 0; i < TEST_PROCESSES; i++) {
        int status;
        assert_int_equal(waitpid(processes[i], &status, 0), processes[i]);
        failed += status != 0;
    }
    assert_int_equal(failed, 0);
}

static bool is_selected(const struct test *test, char **words)
{
    if (*words == NULL)
        return true;
    for (; *words != NULL; words++) {
        if (strstr(test->name, *words) != NULL)
            return true;
    }
    return false;
}

/* The tests whose names contain one of the words, all if there is none; returns how many. */
static size_t select_tests(char **words, struct CMUnitTest rows[TESTS_MAX])
{
    size_t count = 0;
    for (const struct test *test = registered; test != NULL; test = test->next) {
        if (!is_selected(test, words))
            continue;
        CHECK(count < TESTS_MAX);
        rows[count++] =
            (struct CMUnitTest){test->name, test->run, test->setup, test->teardown, NULL};
    }
    return count;
}

/* Whatever the tests open, they close. The log takes its own descriptor before. */
static bool run_selected(const struct CMUnitTest *rows, size_t count)
{
    struct text why;
    text_init(&why, 1000);
    CHECK(log_open(NULL, &why));
    text_fini(&why);
    unsigned before = test_descriptors();
    int failed = _cmocka_run_group_tests("tests", rows, count, group_setup, group_teardown);
    unsigned after = test_descriptors();
    if (after != before)
        fprintf(stderr, "%u descriptors are open after the tests, %u before\n", after, before);
    return failed == 0 && after == before;
}

int main(int argc, char **argv)
{
    bool lists = argc > 1 && strcmp(argv[1], "--list") == 0;
    static struct CMUnitTest rows[TESTS_MAX];
    size_t count = select_tests(argv + (lists ? 2 : 1), rows);
    if (count == 0) {
        fprintf(stderr, "%s: no test has such a name (--list)\n", argv[0]);
        return 2;
    }
    for (size_t i = 0; lists && i < count; i++)
        puts(rows[i].name);
    return lists || run_selected(rows, count) ? 0 : 1;
}
