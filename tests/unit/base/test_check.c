/* SPDX-License-Identifier: MIT */
#include "relay/base/check.h"

#include <signal.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>

#include "test.h"

/* Runs `body` in a child; its stderr is put into `said`. Returns how the child ended. */
static int run_apart(void (*body)(void), char *said, size_t capacity)
{
    int ends[2];
    assert_int_equal(pipe(ends), 0);
    pid_t child = fork();
    assert_true(child != -1);
    if (child == 0) {
        const struct rlimit no_core = {0, 0};
        setrlimit(RLIMIT_CORE, &no_core);
        signal(SIGABRT, SIG_DFL);
        dup2(ends[1], STDERR_FILENO);
        body();
        _exit(0);
    }
    close(ends[1]);
    size_t length = 0;
    ssize_t got;
    while ((got = read(ends[0], said + length, capacity - 1 - length)) > 0)
        length += (size_t)got;
    said[length] = '\0';
    close(ends[0]);
    int status;
    assert_int_equal(waitpid(child, &status, 0), child);
    return status;
}

static void check_wrong(void)
{
    int apples = 3;
    CHECK(apples == 4);
}

static void check_right(void)
{
    CHECK(1 + 1 == 2);
}

static void reach(void)
{
    UNREACHABLE("nobody comes here");
}

TEST(a_failed_check_ends_the_process_and_says_where)
{
    char said[512];
    int status = run_apart(check_wrong, said, sizeof(said));
    assert_true(WIFSIGNALED(status));
    assert_int_equal(WTERMSIG(status), SIGABRT);
    assert_non_null(strstr(said, "test_check.c:"));
    assert_non_null(strstr(said, "check_wrong: CHECK failed: apples == 4\n"));
}

TEST(unreachable_ends_the_process_and_says_why)
{
    char said[512];
    int status = run_apart(reach, said, sizeof(said));
    assert_true(WIFSIGNALED(status));
    assert_non_null(strstr(said, "nobody comes here"));
}

TEST(a_check_that_holds_is_silent)
{
    char said[512];
    assert_int_equal(run_apart(check_right, said, sizeof(said)), 0);
    assert_string_equal(said, "");
}
